package account_test

import (
	"context"
	"testing"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/store"
)

func open(t testing.TB, db *store.DB, created func(context.Context, account.Profile)) *account.Registry {
	t.Helper()
	r, err := account.Open(t.Context(), account.Config{DB: db, OnAccountCreated: created})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
