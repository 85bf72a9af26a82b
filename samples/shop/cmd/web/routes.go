package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/microapp-dev/microapp/samples/shop/internal/server"
)

// patience is how long the orders service may take.
const patience = 5 * time.Second

//go:embed page.html
var source string

var page = template.Must(template.New("page").Parse(source))

// orders is what the orders service answers.
type orders struct {
	Instance string
	Orders   []struct {
		ID      int64
		Item    string
		Created time.Time
	}
}

// routes serves the page, with orders from the service at ordersURL.
func routes(ordersURL, instance string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", server.Healthy)
	mux.HandleFunc("GET /whoami", func(w http.ResponseWriter, _ *http.Request) {
		server.JSON(w, http.StatusOK, map[string]string{"instance": instance})
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		found, err := fetch(r.Context(), ordersURL)
		if err != nil {
			slog.Warn("no orders", "error", err)
		}
		// The page is there without the orders: it says why they are not.
		if err := page.Execute(w, map[string]any{"Instance": instance, "Orders": found, "Error": err}); err != nil {
			slog.Warn("page not sent", "error", err)
		}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Instance", instance)
		mux.ServeHTTP(w, r)
	})
}

func fetch(ctx context.Context, ordersURL string) (orders, error) {
	var got orders
	if ordersURL == "" {
		return got, errors.New("ORDERS_URL is not set")
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, ordersURL+"/api/orders", nil)
	if err != nil {
		return got, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return got, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return got, fmt.Errorf("the orders service answered %s", response.Status)
	}
	return got, json.NewDecoder(response.Body).Decode(&got)
}
