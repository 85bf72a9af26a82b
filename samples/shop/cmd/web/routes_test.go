package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func get(t *testing.T, ordersURL, path string) (int, string) {
	t.Helper()
	got := httptest.NewRecorder()
	routes(ordersURL, "web-1").ServeHTTP(got, httptest.NewRequest(http.MethodGet, path, nil))
	if got.Header().Get("X-Instance") != "web-1" {
		t.Errorf("%s: no X-Instance", path)
	}
	return got.Code, got.Body.String()
}

func TestPage(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"instance": "orders-1", "orders": [{"id": 7, "item": "<b>tea</b>"}]}`)
	}))
	status, body := get(t, service.URL, "/")
	for _, want := range []string{`value="7"`, "&lt;b&gt;tea", "orders by orders-1"} {
		if status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%q is not in %d %s", want, status, body)
		}
	}
	service.Close()
	if status, body := get(t, service.URL, "/"); status != http.StatusOK || !strings.Contains(body, "No orders to show") {
		t.Errorf("without the orders service: %d %s", status, body)
	}
}

func TestOtherPaths(t *testing.T) {
	for path, want := range map[string]int{"/whoami": 200, "/healthz": 200, "/missing": 404} {
		if status, body := get(t, "", path); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}
