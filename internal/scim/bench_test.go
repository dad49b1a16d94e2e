package scim_test

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/scim"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

// BenchmarkFirstSync measures what a provisioning client asks for while it fills a directory, in directories of three
// sizes: so many people, a tenth as many groups, ten memberships each. A cost that grows with the directory makes a first
// sync quadratic. The directory is not filled by requests but by statements. cpu-µs/op is the processor time of the
// process, the file system's part included; a request goes through the handler, not over a socket.
//
//	go test -run '^$' -bench FirstSync -benchtime 200x ./internal/scim
func BenchmarkFirstSync(b *testing.B) {
	for _, people := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("people=%d", people), func(b *testing.B) {
			h := filled(b, people)
			made := 0
			next := func() int { made++; return made }
			hundred := func(n int) string {
				var list []string
				for i := range 100 {
					list = append(list, `{"value":"`+benchID('a', (n*100+i)%people)+`"}`)
				}
				return strings.Join(list, ",")
			}
			for _, op := range []struct {
				name string
				do   func(n int) // n counts from 0
			}{
				{"create user", func(int) {
					n := next()
					h.want(b, 201, "POST", "/Users", fmt.Sprintf(`{%s,"userName":"new%d@example.com","externalId":"new-%d","displayName":"New %d","name":{"givenName":"New","familyName":"%d"},"emails":[{"value":"new%d@example.com","type":"work","primary":true}],"active":true}`, core, n, n, n, n, n))
				}},
				{"create group", func(int) {
					n := next()
					h.want(b, 201, "POST", "/Groups", fmt.Sprintf(`{"displayName":"New group %d","externalId":"new-%d"}`, n, n))
				}},
				{"add 1 member", func(n int) {
					h.members(b, benchID('b', 0), `{"op":"add","path":"members","value":[{"value":"`+benchID('a', n%people)+`"}]}`)
				}},
				{"remove 1 member", func(n int) {
					h.members(b, benchID('b', 0), `{"op":"remove","path":"members[value eq \"`+benchID('a', n%people)+`\"]"}`)
				}},
				{"add 100 members", func(n int) {
					h.members(b, benchID('b', 1+n*100/people), `{"op":"add","path":"members","value":[`+hundred(n)+`]}`)
				}},
				{"remove 100 members", func(n int) {
					h.members(b, benchID('b', 1+n*100/people), `{"op":"remove","path":"members","value":[`+hundred(n)+`]}`)
				}},
				{"add 1 group to a group", func(n int) {
					h.members(b, benchID('b', people/10-1), `{"op":"add","path":"members","value":[{"value":"`+benchID('b', n%(people/10-1))+`"}]}`)
				}},
				{"put everybody's group into a group, or take it out", func(n int) {
					h.members(b, benchID('b', 0), `{"op":"`+[]string{"add", "remove"}[n%2]+`","path":"members","value":[{"value":"`+benchID('e', 0)+`"}]}`)
				}},
				{"userName eq", func(n int) {
					h.found(b, find("/Users", fmt.Sprintf(`userName eq "person%d@example.com"`, n%people)))
				}},
				{"externalId eq", func(n int) {
					h.found(b, find("/Users", fmt.Sprintf(`externalId eq "ext-%d"`, n%people)))
				}},
				{"displayName eq", func(n int) {
					h.found(b, find("/Groups", fmt.Sprintf(`displayName eq "Group %d"`, n%(people/10)))+"&excludedAttributes=members")
				}},
				{"a page of 100 users", func(n int) {
					h.want(b, 200, "GET", fmt.Sprintf("/Users?count=100&startIndex=%d", people-100), "")
				}},
			} {
				b.Run(op.name, func(b *testing.B) {
					b.ReportAllocs()
					before := processorTime(b)
					for i := range b.N {
						op.do(i)
					}
					b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
				})
			}
		})
	}
}

func (h *house) members(b *testing.B, group, operation string) {
	b.Helper()
	if r := h.patch(b, "/Groups/"+group, operation); r.status != 204 {
		b.Fatal(r.status, r.text)
	}
}

func (h *house) found(b *testing.B, path string) {
	b.Helper()
	if r := h.want(b, 200, "GET", path, ""); len(r.ids()) != 1 {
		b.Fatal(path, r.text)
	}
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchID is the id of the nth user ('a') or group ('b').
func benchID(kind byte, n int) string { return fmt.Sprintf("%08x-0000-4000-8000-%c%011x", n, kind, n) }

// filled is a house whose store has people, groups and memberships.
func filled(b *testing.B, people int) *house {
	b.Helper()
	h := fresh(b)
	ctx, id := context.Background(), `printf('%08x-0000-4000-8000-%s%011x', i, '{kind}', i)`
	user, group := strings.ReplaceAll(id, "{kind}", "a"), strings.ReplaceAll(id, "{kind}", "b")
	numbers := fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d - 1) `, people)
	err := h.db.Update(ctx, func(tx *store.Tx) error {
		for _, statement := range []string{
			`INSERT INTO users (store, id, user_name, name_key, email_key, enabled, profile, created, created_by, updated, updated_by, version) ` + numbers +
				`SELECT '` + storeID + `', ` + user + `, 'person' || i || '@example.com', 'person' || i || '@example.com', 'person' || i || '@example.com', 1,
				'{"displayName":"Person ' || i || '","emails":[{"value":"person' || i || '@example.com","type":"work","primary":true}]}', 0, '', 0, '', 1 FROM n`,
			`INSERT INTO external_ids (store, kind, issuer, id, owner) ` + numbers +
				`SELECT '` + storeID + `', 'user', 'urn:lakegate:scim:` + storeID + `', 'ext-' || i, ` + user + ` FROM n`,
			`INSERT INTO directory_groups (store, id, display_name, name_key, description, created, created_by, updated, updated_by, version) ` + numbers +
				`SELECT '` + storeID + `', ` + group + `, 'Group ' || i, 'group ' || i, '', 0, '', 0, '', 1 FROM n WHERE i < ` + fmt.Sprint(people/10),
			`INSERT INTO memberships (store, id, group_id, user_id, created, created_by) ` + numbers + `, m(j) AS (VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)) ` +
				`SELECT '` + storeID + `', printf('%08x-0000-4000-8000-%012x', i, j), ` +
				fmt.Sprintf(`printf('%%08x-0000-4000-8000-b%%011x', (i * 7 + j) %% %d, (i * 7 + j) %% %d), `, people/10, people/10) + user + `, 0, '' FROM n, m`,
			`INSERT INTO directory_groups (store, id, display_name, name_key, description, created, created_by, updated, updated_by, version)
				VALUES ('` + storeID + `', '` + benchID('e', 0) + `', 'Everybody', 'everybody', '', 0, '', 0, '', 1)`,
			`INSERT INTO memberships (store, id, group_id, user_id, created, created_by) ` + numbers +
				`SELECT '` + storeID + `', printf('%08x-0000-4000-8000-eeeeeeeeeeee', i), '` + benchID('e', 0) + `', ` + user + `, 0, '' FROM n`,
		} {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	if h.dir, err = directory.Open(ctx, h.db); err != nil {
		b.Fatal(err)
	}
	tr, err := trail.Open(ctx, trail.Config{DB: h.db, Dir: b.TempDir(), Retention: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = tr.Close() })
	h.handler = scim.New(scim.Config{Directory: h.dir, Trail: tr, WebURL: "http://127.0.0.1:9421/"})
	return h
}
