package grants

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

// BenchmarkLists reads a page of a hundred thousand grants to a thousand groups: of all, and of those of an asker who is in
// every tenth group.
func BenchmarkLists(b *testing.B) {
	if testing.Short() {
		b.Skip("filling the database takes a minute")
	}
	const n, groups = 100_000, 1000
	db := storetest.New(b)
	ctx := context.Background()
	err := db.Update(ctx, func(tx *store.Tx) error {
		for i := range n {
			g := parsed(b, uuid.NewString(), fmt.Sprintf("s3://lake/%d/*", i), false, Grantee{DirectoryGroup, groupName(i % groups)}, Read)
			g.LocationID, g.SubPrefix = "default", g.Text
			if err := insertGrant(ctx, tx, g); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	s := &Service{Registry: &Registry{db: db}}
	q := &Question{User: "u", Principal: roleR.ID}
	for i := range groups / 10 {
		q.Groups = append(q.Groups, groupName(i*10))
	}
	for name, after := range map[string]string{"first": "", "middle": "80000000-0000-4000-8000-000000000000"} {
		p := &pages{after: after, size: 100}
		b.Run("all/"+name, func(b *testing.B) {
			for b.Loop() {
				if all, err := list(ctx, s, p, scanGrant, selectGrant, owner, &conditions{}, nil); err != nil || len(all) != 101 {
					b.Fatal(len(all), err)
				}
			}
		})
		b.Run("filtered/"+name, func(b *testing.B) {
			c := &conditions{}
			c.is("permission", (*string)(new(Write)))
			for b.Loop() {
				if all, err := list(ctx, s, p, scanGrant, selectGrant, owner, c, nil); err != nil || len(all) != 0 {
					b.Fatal(len(all), err)
				}
			}
		})
		b.Run("caller/"+name, func(b *testing.B) {
			for b.Loop() {
				if all, err := s.grantsFor(ctx, owner, q, p, nil); err != nil || len(all) != 101 {
					b.Fatal(len(all), err)
				}
			}
		})
	}
}
