package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	idtypes "github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"

	"github.com/lakegate/lakegate/internal/store/storetest"
)

// TestTheNextRequestIsRefused: of a crowd of requests none that began after a right was taken away is served, whichever way it
// was taken and by whichever credentials they are signed.
func TestTheNextRequestIsRefused(t *testing.T) {
	nextRequest(t, newStory(t))
}

// The same on the other database.
func TestTheNextRequestIsRefusedOnPostgreSQL(t *testing.T) {
	nextRequest(t, newStory(t, "--database", storetest.URL(t, "postgres")))
}

func nextRequest(t *testing.T, s *story) {
	takings, sessions := s.takings(), map[string]aws.Config{}
	for _, c := range takings {
		sessions[c.user] = s.person(c.user)
	}
	for _, c := range takings {
		t.Run(c.what, func(t *testing.T) {
			vended, _, err := vend(t.Context(), sessions[c.user], "s3://"+storyLake+"/"+c.key, types.PermissionRead)
			if err != nil {
				t.Fatal(err)
			}
			crowd(t, []string{urlAt(t, s.process, sessions[c.user], c.key), urlAt(t, s.process, vended, c.key)}, c.take)
		})
	}
}

// taking is one way to take a right away from somebody who reads a key by it.
type taking struct {
	what, user, key string
	// take takes the right away, and returns when that was answered.
	take func(t *testing.T)
}

// takings are the ways to take a right away, each to be used once and in their order.
func (s *story) takings() []taking {
	s.t.Helper()
	own := s.grant(mateo, "own/*", types.PermissionRead)
	if err := put(s.t.Context(), storage(s.data), "own/key"); err != nil {
		s.t.Fatal(err)
	}
	red, blue := firstKey(s.t, storage(s.data), "red/"), firstKey(s.t, storage(s.data), "blue/")
	const wang = "wang@example.com"
	directory := identitystore.NewFromConfig(s.center)
	return []taking{
		{"the grant is deleted", mateo, "own/key", func(t *testing.T) {
			if _, err := control(s.data).DeleteAccessGrant(t.Context(), &s3control.DeleteAccessGrantInput{AccountId: aws.String(dataAccount), AccessGrantId: &own}); err != nil {
				t.Fatal(err)
			}
		}},
		{"the person leaves the group", mateo, red, func(t *testing.T) {
			found, err := directory.ListGroupMembershipsForMember(t.Context(), &identitystore.ListGroupMembershipsForMemberInput{IdentityStoreId: &s.store,
				MemberId: &idtypes.MemberIdMemberUserId{Value: s.userByName(mateo)}})
			if err != nil || len(found.GroupMemberships) != 1 {
				t.Fatalf("memberships = %v, %v", found, err)
			}
			if _, err := directory.DeleteGroupMembership(t.Context(), &identitystore.DeleteGroupMembershipInput{IdentityStoreId: &s.store, MembershipId: found.GroupMemberships[0].MembershipId}); err != nil {
				t.Fatal(err)
			}
		}},
		{"the person is disabled", wang, blue, func(*testing.T) { s.setActive(wang, false) }},
		{"the sessions are revoked", ana, blue, func(t *testing.T) { s.revoke(t, map[string]any{"Kind": "ROLE", "Value": bearerRole}) }},
	}
}

// crowd asks for the URLs from many clients at once, has the right taken away while all of them are served, and fails for each
// request that began after that and was served.
func crowd(t *testing.T, urls []string, take func(*testing.T)) {
	t.Helper()
	const clients, before, after = 16, 5, 10
	var (
		taken           atomic.Bool
		served, refused atomic.Int64
		ready, done     sync.WaitGroup
		client          = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	)
	defer client.CloseIdleConnections()
	ready.Add(clients)
	for i := range clients {
		done.Go(func() {
			url := urls[i%len(urls)]
			var once sync.Once
			defer once.Do(ready.Done)
			for was, is := 0, 0; is < after; {
				// Read before the request is sent: whatever began after the answer, began with true.
				late := taken.Load()
				status, err := statusOf(client, url)
				switch {
				case err != nil:
					t.Error(err)
					return
				case status == http.StatusOK && late:
					t.Errorf("a request by %s that began after the answer was served", []string{"the person's session", "credentials of the grant"}[i%len(urls)])
				case status == http.StatusOK:
					served.Add(1)
				case status == http.StatusForbidden:
					refused.Add(1)
				default:
					t.Errorf("status %d", status)
				}
				if late {
					is++
				}
				if was++; was == before {
					once.Do(ready.Done)
				}
			}
		})
	}
	ready.Wait()
	if refused.Load() > 0 {
		t.Errorf("%d requests were refused before anything was taken away", refused.Load())
	}
	defer done.Wait()
	func() {
		defer taken.Store(true)
		take(t)
	}()
	done.Wait()
	if served.Load() < clients*before || refused.Load() < clients*after {
		t.Errorf("%d served and %d refused: the crowd was not there", served.Load(), refused.Load())
	}
}

func statusOf(c *http.Client, url string) (int, error) {
	resp, err := c.Get(url)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if closed := resp.Body.Close(); err == nil {
		err = closed
	}
	return resp.StatusCode, err
}

// revoke ends sessions as the administrator of the data's account.
func (s *story) revoke(t *testing.T, in map[string]any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	answer := s.send(t, raw{service: "lakegate", path: "/", header: target("Lakegate.CreateRevocation"), body: string(body)})
	if answer.status != http.StatusOK {
		t.Fatalf("CreateRevocation: %d %s", answer.status, answer.body)
	}
}
