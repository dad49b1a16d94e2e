package account_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

func TestBootstrap(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		var told []account.Profile
		r := open(t, db, func(_ context.Context, p account.Profile) { told = append(told, p) })
		if _, ok := r.Organization(); ok {
			t.Fatal("an empty database has an organization")
		}
		first, err := r.Bootstrap(ctx, management)
		if err != nil {
			t.Fatal(err)
		}
		o, ok := r.Organization()
		if !ok || o.Management != management || !strings.HasPrefix(o.ID, "o-") || r.OrganizationOf(ctx, management) != o.ID {
			t.Errorf("organization %+v, %v", o, ok)
		}
		if got := r.OrganizationOf(ctx, member); got != "" {
			t.Errorf("an unknown account is in the organization %q", got)
		}
		secret, c, err := r.Lookup(first.Profile.AccessKeyID)
		if err != nil || secret != first.Profile.SecretAccessKey || len(secret) != 40 {
			t.Errorf("the administrator's key does not work: %v", err)
		}
		if want := arn.User(management, "/", account.Administrator); c.ARN != want || c.Account != management {
			t.Errorf("the key is of %s, want %s", c.ARN, want)
		}
		if diff := cmp.Diff([]account.Profile{first.Profile}, told); diff != "" {
			t.Errorf("told of other accounts (-want +got):\n%s", diff)
		}

		t.Run("a second start keeps what is there", func(t *testing.T) {
			r := open(t, db, func(context.Context, account.Profile) { t.Error("told of an account that is not new") })
			for _, id := range []string{"", management} {
				again, err := r.Bootstrap(ctx, id)
				if again != nil || err != nil {
					t.Errorf("Bootstrap(%q) = %v, %v", id, again, err)
				}
			}
			if _, err := r.Bootstrap(ctx, member); err == nil || !strings.Contains(err.Error(), management) {
				t.Errorf("another management account: %v", err)
			}
			profiles, err := r.Profiles(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]account.Profile{first.Profile}, profiles); diff != "" {
				t.Errorf("profiles (-want +got):\n%s", diff)
			}
		})
	})
}

func TestBootstrapChoosesAnAccount(t *testing.T) {
	r := open(t, storetest.New(t), nil)
	first, err := r.Bootstrap(t.Context(), "")
	if err != nil || !arn.IsAccountID(first.Account.ID) || !r.IsManagement(first.Account.ID) {
		t.Errorf("%v, %v", first, err)
	}
	for _, bad := range []string{"1", "12345678901a", "1234567890123"} {
		if _, err := open(t, storetest.New(t), nil).Bootstrap(t.Context(), bad); err == nil {
			t.Errorf("the management account %q was taken", bad)
		}
	}
}

func TestProfilesDoNotPrintTheirSecret(t *testing.T) {
	first, err := open(t, storetest.New(t), nil).Bootstrap(t.Context(), management)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("created", slog.Any("profile", first.Profile))
	for _, text := range []string{fmt.Sprint(first.Profile), fmt.Sprintf("%+v", first), fmt.Sprintf("%#v", first.Profile), log.String()} {
		if strings.Contains(text, first.Profile.SecretAccessKey) {
			t.Errorf("the secret is printed: %s", text)
		}
	}
}

func TestSecretsAreSealedInTheDatabase(t *testing.T) {
	db := storetest.New(t)
	first, err := open(t, db, nil).Bootstrap(t.Context(), management)
	if err != nil {
		t.Fatal(err)
	}
	var stored []byte
	err = db.View(t.Context(), func(q store.Querier) (err error) {
		stored, err = store.One(t.Context(), q, func(s store.Scanner) (b []byte, err error) { return b, s.Scan(&b) }, `SELECT secret FROM iam_access_keys`)
		return err
	})
	if err != nil || strings.Contains(string(stored), first.Profile.SecretAccessKey) {
		t.Errorf("the secret is stored as it is: %v", err)
	}
	if _, err := db.Unseal("access-key/AKIAOTHEROTHEROTHER1", stored); !errors.Is(err, store.ErrSealed) {
		t.Errorf("the secret of one key opens as another's: %v", err)
	}
}
