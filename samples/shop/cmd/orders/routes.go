package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/microapp-dev/microapp/samples/shop/internal/server"
)

// patience is how long the database may take for one request.
const patience = 5 * time.Second

// ledger is what the routes need of the store.
type ledger interface {
	Ping(context.Context) error
	Add(ctx context.Context, item string) (Order, error)
	Get(ctx context.Context, id int64) (Order, error)
	Last(context.Context) ([]Order, error)
}

// shelf is what the routes need of the cache.
type shelf interface {
	Get(ctx context.Context, id int64) (Order, string)
	Put(context.Context, Order)
}

// routes answers for the orders. Every answer names the instance that gave it; one order also says what the cache did.
func routes(orders ledger, cache shelf, instance string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", server.Healthy)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := orders.Ping(r.Context()); err != nil {
			fail(w, instance, http.StatusServiceUnavailable, err)
			return
		}
		server.Healthy(w, r)
	})
	mux.HandleFunc("POST /api/orders", func(w http.ResponseWriter, r *http.Request) {
		var wish struct{ Item string }
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&wish)
		if err != nil || wish.Item == "" {
			fail(w, instance, http.StatusBadRequest, errors.New(`send an order as {"item": "..."}`))
			return
		}
		order, err := orders.Add(r.Context(), wish.Item)
		answer(w, instance, http.StatusCreated, map[string]any{"order": order}, err)
	})
	mux.HandleFunc("GET /api/orders", func(w http.ResponseWriter, r *http.Request) {
		last, err := orders.Last(r.Context())
		answer(w, instance, http.StatusOK, map[string]any{"orders": last}, err)
	})
	mux.HandleFunc("GET /api/orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
		if err != nil {
			fail(w, instance, http.StatusNotFound, errNotFound)
			return
		}
		order, found := cache.Get(r.Context(), id)
		if found != "hit" {
			order, err = orders.Get(r.Context(), id)
		}
		if found == "miss" && err == nil {
			cache.Put(r.Context(), order)
		}
		answer(w, instance, http.StatusOK, map[string]any{"order": order, "cache": found}, err)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		w.Header().Set("X-Instance", instance)
		mux.ServeHTTP(w, r.WithContext(ctx))
	})
}

func answer(w http.ResponseWriter, instance string, status int, body map[string]any, err error) {
	switch {
	case errors.Is(err, errNotFound):
		fail(w, instance, http.StatusNotFound, err)
	case err != nil:
		fail(w, instance, http.StatusServiceUnavailable, err)
	default:
		body["instance"] = instance
		server.JSON(w, status, body)
	}
}

func fail(w http.ResponseWriter, instance string, status int, err error) {
	slog.Warn("request failed", "status", status, "error", err)
	server.JSON(w, status, map[string]string{"error": err.Error(), "instance": instance})
}
