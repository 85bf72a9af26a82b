package main

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
)

type memory []Order

func (m *memory) Ping(context.Context) error { return errors.New("database is down") }

func (m *memory) Add(_ context.Context, item string) (Order, error) {
	*m = append(*m, Order{ID: int64(len(*m) + 1), Item: item})
	return (*m)[len(*m)-1], nil
}

func (m *memory) Get(_ context.Context, id int64) (Order, error) {
	if id < 1 || id > int64(len(*m)) {
		return Order{}, errNotFound
	}
	return (*m)[id-1], nil
}

func (m *memory) Last(context.Context) ([]Order, error) { return *m, nil }

// box is a cache without a server.
type box map[int64]Order

func (b box) Get(_ context.Context, id int64) (Order, string) {
	if order, ok := b[id]; ok {
		return order, "hit"
	}
	return Order{}, "miss"
}

func (b box) Put(_ context.Context, order Order) { b[order.ID] = order }

func TestRoutes(t *testing.T) {
	handler := routes(&memory{}, box{}, "orders-1")
	for _, step := range []struct {
		method, path, body string
		status             int
		answer             string
	}{
		{"POST", "/api/orders", `{"item": "tea"}`, 201, `"item":"tea"`},
		{"POST", "/api/orders", `{}`, 400, `send an order`},
		{"GET", "/api/orders", "", 200, `"id":1`},
		{"GET", "/api/orders/1", "", 200, `"cache":"miss","instance":"orders-1"`},
		{"GET", "/api/orders/1", "", 200, `"cache":"hit"`},
		{"GET", "/api/orders/2", "", 404, `no such order`},
		{"GET", "/api/orders/tea", "", 404, `no such order`},
		{"GET", "/healthz", "", 200, "ok"},
		{"GET", "/readyz", "", 503, "database is down"},
	} {
		got := httptest.NewRecorder()
		handler.ServeHTTP(got, httptest.NewRequest(step.method, step.path, strings.NewReader(step.body)))
		if got.Code != step.status || !strings.Contains(got.Body.String(), step.answer) {
			t.Errorf("%s %s %s: %d %s", step.method, step.path, step.body, got.Code, got.Body)
		}
		if got.Header().Get("X-Instance") != "orders-1" {
			t.Errorf("%s %s: no X-Instance", step.method, step.path)
		}
	}
}

func TestNoCache(t *testing.T) {
	none, err := openCache(func(string) string { return "" })
	if _, found := none.Get(t.Context(), 1); err != nil || found != "none" {
		t.Errorf("without CACHE_URL: %s, %v", found, err)
	}
	if _, err := openCache(func(string) string { return "memcached://host" }); err == nil {
		t.Error("another protocol is taken")
	}
}

func TestDatabaseURL(t *testing.T) {
	parts := map[string]string{
		"DATABASE_HOST": "db", "DATABASE_NAME": "orders", "DATABASE_USERNAME": "me", "DATABASE_PASSWORD": "p@ss/word",
	}
	env := func(name string) string { return parts[name] }
	if got, want := databaseURL(env), "postgres://me:p%40ss%2Fword@db:5432/orders"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	parts["DATABASE_URL"] = "postgres://elsewhere/orders"
	if got := databaseURL(env); got != parts["DATABASE_URL"] {
		t.Errorf("DATABASE_URL does not win: %s", got)
	}
}
