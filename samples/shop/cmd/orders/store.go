package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Order is one row.
type Order struct {
	ID      int64     `json:"id"`
	Item    string    `json:"item"`
	Created time.Time `json:"created"`
}

var errNotFound = errors.New("no such order")

// store keeps orders in a PostgreSQL table that it makes itself.
type store struct {
	pool     *pgxpool.Pool
	prepared atomic.Bool
}

// openStore reads the address of the database from the environment; it does not connect yet.
func openStore(env func(string) string) (*store, error) {
	config, err := pgxpool.ParseConfig(databaseURL(env))
	if err != nil {
		return nil, fmt.Errorf("set DATABASE_URL, or DATABASE_HOST and its like: %w", err)
	}
	config.MaxConns = 4
	config.ConnConfig.ConnectTimeout = 3 * time.Second
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	return &store{pool: pool}, err
}

func databaseURL(env func(string) string) string {
	if given := env("DATABASE_URL"); given != "" {
		return given
	}
	made := url.URL{
		Scheme: "postgres",
		User:   url.UserPassword(env("DATABASE_USERNAME"), env("DATABASE_PASSWORD")),
		Host:   net.JoinHostPort(cmp.Or(env("DATABASE_HOST"), "localhost"), cmp.Or(env("DATABASE_PORT"), "5432")),
		Path:   env("DATABASE_NAME"),
	}
	return made.String()
}

func (s *store) Close() { s.pool.Close() }

// Ping says whether the database answers.
func (s *store) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

// Prepare makes the table unless it is there: a login that may only read finds it made.
func (s *store) Prepare(ctx context.Context) error {
	ready := s.prepared.Load()
	if ready {
		return nil
	}
	err := s.pool.QueryRow(ctx, `select to_regclass('orders') is not null`).Scan(&ready)
	if err == nil && !ready {
		err = s.makeTable(ctx)
	}
	s.prepared.Store(err == nil)
	return err
}

// makeTable lets instances that start together take turns: "if not exists" alone can fail when two run it at once.
func (s *store) makeTable(ctx context.Context) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext('shop.orders'))`)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `create table if not exists orders (
			id bigint generated always as identity primary key,
			item text not null,
			created timestamptz not null default now())`)
		return err
	})
}

// Add inserts a row and reads it back.
func (s *store) Add(ctx context.Context, item string) (Order, error) {
	return s.one(ctx, `insert into orders (item) values ($1) returning id, item, created`, item)
}

// Get reads one row, or says errNotFound.
func (s *store) Get(ctx context.Context, id int64) (Order, error) {
	order, err := s.one(ctx, `select id, item, created from orders where id = $1`, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return order, errNotFound
	}
	return order, err
}

// Last reads the newest rows, the newest first.
func (s *store) Last(ctx context.Context) ([]Order, error) {
	return s.query(ctx, `select id, item, created from orders order by id desc limit 20`)
}

func (s *store) one(ctx context.Context, sql string, args ...any) (Order, error) {
	orders, err := s.query(ctx, sql, args...)
	if err != nil {
		return Order{}, err
	}
	if len(orders) == 0 {
		return Order{}, pgx.ErrNoRows
	}
	return orders[0], nil
}

func (s *store) query(ctx context.Context, sql string, args ...any) ([]Order, error) {
	if err := s.Prepare(ctx); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Order])
}
