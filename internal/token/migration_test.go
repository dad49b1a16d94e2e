package token_test

import (
	"os"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/store"
)

// Refresh tokens from before there were families go on: the database is taken back to that time, and opened again.
func TestRefreshTokensOfBefore(t *testing.T) {
	h := newHouse(t)
	h.grantRefresh(t)
	first := h.signIn(t)
	out, err := h.refresh(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	migration, err := os.ReadFile("../store/migrations/0012_token.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, down, ok := strings.Cut(string(migration), "-- +goose Down")
	if !ok {
		t.Fatal("the migration has no way back")
	}
	err = h.DB.Update(t.Context(), func(tx *store.Tx) error {
		for statement := range strings.SplitSeq(down, ";") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if _, err := tx.Exec(t.Context(), statement); err != nil {
				return err
			}
		}
		// One of an application that is gone has no family, and nothing would ever remove it.
		if _, err := tx.Exec(t.Context(), `INSERT INTO refresh_tokens (hash, family, application, user_id, issuer, scopes, signed_in, expires, used)
			SELECT ?, 'gone', 'gone', user_id, issuer, scopes, signed_in, expires, 0 FROM refresh_tokens WHERE used = 0`, []byte("gone")); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), `DELETE FROM goose_db_version WHERE version_id = 12`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(rows(t, h, `SELECT family FROM refresh_tokens`)); n != 3 {
		t.Fatalf("%d refresh tokens of before", n)
	}
	after := h.node(t)
	if left := rows(t, after, `SELECT family FROM token_refreshes WHERE family = 'gone'`); len(left) > 0 {
		t.Errorf("%d refresh tokens without a family", len(left))
	}
	next, err := after.refresh(t.Context(), *out.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if claims := readClaims(t, *next.IdToken); claims["sub"] != h.person || claims["act"] == nil {
		t.Errorf("claims %v", claims)
	}
	after.open(t, *next.AccessToken)
	after.refused(t, refreshInput(h, first), "InvalidGrantException", "refresh token") // used before the migration
	after.refused(t, refreshInput(h, *next.RefreshToken), "InvalidGrantException", "refresh token")
}
