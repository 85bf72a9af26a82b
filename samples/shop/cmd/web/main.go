// Web is the page of the sample shop: it shows the orders that it asks the orders service for.
package main

import (
	"log/slog"
	"os"

	"github.com/microapp-dev/microapp/samples/shop/internal/server"
)

func main() {
	if err := server.Run(routes(os.Getenv("ORDERS_URL"), server.Instance())); err != nil {
		slog.Error("server ended", "error", err)
		os.Exit(1)
	}
}
