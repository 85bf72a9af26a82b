package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// kept is how long an order stays in the cache. Orders never change.
const kept = time.Minute

// cache holds orders that were read, in a server that speaks the protocol of Redis. It may be nil: then there is none.
type cache struct{ client *redis.Client }

// openCache reads the address of the cache from the environment; it does not connect yet.
func openCache(env func(string) string) (*cache, error) {
	given := env("CACHE_URL")
	if given == "" {
		return nil, nil
	}
	options, err := redis.ParseURL(given)
	if err != nil {
		return nil, fmt.Errorf("CACHE_URL: %w", err)
	}
	options.DialTimeout, options.ReadTimeout, options.MaxRetries = time.Second, time.Second, 1
	return &cache{redis.NewClient(options)}, nil
}

// Get answers an order and "hit"; or "miss", "down" or "none".
func (c *cache) Get(ctx context.Context, id int64) (order Order, found string) {
	if c == nil {
		return order, "none"
	}
	text, err := c.client.Get(ctx, key(id)).Bytes()
	if err == nil {
		err = json.Unmarshal(text, &order)
	}
	switch {
	case err == nil:
		return order, "hit"
	case errors.Is(err, redis.Nil):
		return order, "miss"
	default:
		slog.Warn("cache not read", "error", err)
		return order, "down"
	}
}

// Put keeps an order. What cannot be kept is read from the database again.
func (c *cache) Put(ctx context.Context, order Order) {
	text, err := json.Marshal(order)
	if err == nil {
		err = c.client.Set(ctx, key(order.ID), text, kept).Err()
	}
	if err != nil {
		slog.Warn("cache not written", "error", err)
	}
}

func key(id int64) string { return "orders:" + strconv.FormatInt(id, 10) }
