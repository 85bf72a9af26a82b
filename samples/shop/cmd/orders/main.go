// Orders keeps the orders of the sample shop in PostgreSQL, reads them through a cache, and answers for them under /api/orders.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/microapp-dev/microapp/samples/shop/internal/server"
)

func main() {
	store, err := openStore(os.Getenv)
	if err != nil {
		slog.Error("no database", "error", err)
		os.Exit(1)
	}
	defer store.Close()

	cache, err := openCache(os.Getenv)
	if err != nil {
		slog.Error("no cache", "error", err)
		os.Exit(1)
	}

	// A first try only: a database that comes later is met by the first request.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := store.Prepare(ctx); err != nil {
		slog.Warn("the table is not there yet", "error", err)
	}
	if err := server.Run(routes(store, cache, server.Instance())); err != nil {
		slog.Error("server ended", "error", err)
		os.Exit(1)
	}
}
