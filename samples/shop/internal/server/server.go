// Package server is what both programs of the shop have in common: where they listen, and how they end.
package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// drain is how long requests that are under way may still take after SIGTERM.
const drain = 10 * time.Second

// Instance names this copy of the program: in a pod, the pod's name.
func Instance() string {
	host, _ := os.Hostname()
	return cmp.Or(os.Getenv("HOSTNAME"), host)
}

// Run serves on PORT until SIGTERM or SIGINT, then lets the requests that are under way finish.
func Run(handler http.Handler) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	srv := &http.Server{
		Addr:              ":" + cmp.Or(os.Getenv("PORT"), "8080"),
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.ListenAndServe() }()
	slog.Info("listening", "address", srv.Addr)

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	slog.Info("ending")
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	return errors.Join(srv.Shutdown(ctx), ignoreClosed(<-failed))
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Healthy answers that the program is alive, which says nothing about what it depends on.
func Healthy(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, "ok\n")
}

// JSON answers with the value.
func JSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		slog.Warn("answer not sent", "error", err)
	}
}
