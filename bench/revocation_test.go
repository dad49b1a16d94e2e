package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	idtypes "github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
)

// right is something that can be taken from Mateo and given back.
type right struct {
	name, key  string
	give, take func()
}

// BenchmarkRevocation takes a right away again and again while a crowd reads by it, with the person's own session and with a
// grant's credentials. It fails for a request that began after the answer and was served; it tells how long the answer took,
// and how long after it the first refusal was seen, which is negative where a refusal came before the answer.
func BenchmarkRevocation(b *testing.B) {
	s := start(b)
	rights := s.rights()
	for _, r := range rights {
		b.Run(r.name, func(b *testing.B) {
			var c crowd
			var took, first time.Duration
			for range b.N {
				r.give()
				requests := []func() (*http.Request, error){s.signed(s.person, "/"+bucket+"/"+r.key, nil), s.signed(s.vend("s3://"+bucket+"/"+r.key), "/"+bucket+"/"+r.key, nil)}
				c.gather(b, s.http, requests)
				began := time.Now()
				r.take()
				took += time.Since(began)
				c.taken.Store(true)
				answered := time.Now()
				c.wait()
				first += time.Unix(0, c.refusedAt.Load()).Sub(answered)
			}
			n := float64(b.N)
			b.ReportMetric(took.Seconds()/n*1e3, "ms-to-answer/op")
			b.ReportMetric(first.Seconds()/n*1e3, "ms-answer-to-refusal/op")
			b.ReportMetric(float64(c.late.Load()), "served-after-answer")
			b.ReportMetric(float64(c.after.Load())/n, "requests-after-answer/op")
			b.ReportMetric(0, "ns/op") // what is between is no part of it
		})
	}
	b.Run("alone", func(b *testing.B) { s.alone(b, rights) })
}

// alone measures the processor time of a revocation, with nobody reading, and of a request that is refused.
func (s *server) alone(b *testing.B, rights []right) {
	for _, r := range rights {
		b.Run(r.name, func(b *testing.B) {
			var cpu, refusal float64
			const refusals = 20
			for range b.N {
				r.give()
				req := s.signed(s.person, "/"+bucket+"/"+r.key, nil)
				before := s.cpu()
				r.take()
				between := s.cpu()
				for range refusals {
					if status := get(b, s.http, req); status != http.StatusForbidden {
						b.Fatalf("status %d", status)
					}
				}
				cpu, refusal = cpu+between-before, refusal+s.cpu()-between
			}
			b.ReportMetric(cpu/float64(b.N)*1e6, "server-cpu-µs/revocation")
			b.ReportMetric(refusal/float64(b.N)/refusals*1e6, "server-cpu-µs/refusal")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// crowd is 16 clients that read until ten of each one's requests have begun after the right was taken away.
type crowd struct {
	taken       atomic.Bool
	refusedAt   atomic.Int64 // the first refusal, Unix time in nanoseconds
	late, after atomic.Int64
	done        sync.WaitGroup
}

// gather starts them, and returns when each has been served five times.
func (c *crowd) gather(b *testing.B, client *http.Client, requests []func() (*http.Request, error)) {
	const clients, served, after = 16, 5, 10
	c.taken.Store(false)
	c.refusedAt.Store(0)
	var ready sync.WaitGroup
	ready.Add(clients)
	for i := range clients {
		c.done.Go(func() {
			for n, left := 0, after; left > 0; n++ {
				if n == served {
					ready.Done()
				}
				late := c.taken.Load()
				status := get(b, client, requests[i%len(requests)])
				if status == http.StatusForbidden {
					c.refusedAt.CompareAndSwap(0, time.Now().UnixNano())
				}
				if n < served && status != http.StatusOK {
					b.Errorf("status %d before anything was taken away", status)
				}
				if late {
					left--
					c.after.Add(1)
					if status != http.StatusForbidden {
						c.late.Add(1)
						b.Errorf("a request that began after the answer: status %d", status)
					}
				}
			}
		})
	}
	ready.Wait()
}

func (c *crowd) wait() { c.done.Wait() }

func get(b *testing.B, client *http.Client, next func() (*http.Request, error)) (status int) {
	req, err := next()
	if err == nil {
		var resp *http.Response
		if resp, err = client.Do(req); err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			status = resp.StatusCode
		}
	}
	if err != nil {
		b.Error(err)
	}
	return status
}

// rights are what revocation is measured on.
func (s *server) rights() []right {
	ctx := context.Background()
	s.put("red/bench", 4<<10)
	s.put("bench/key", 4<<10)
	admin := s.control(s.administrator(dataAccount))
	locations, err := admin.ListAccessGrantsLocations(ctx, &s3control.ListAccessGrantsLocationsInput{AccountId: aws.String(dataAccount)})
	must(s.b, err)
	store, user, memberships := s.mateo(ctx)
	directory := identitystore.NewFromConfig(s.config(s.administrator(centerAccount)))
	p := s.provider()
	var grant, membership, revocation string
	var disabled bool
	membership = *memberships[0].MembershipId
	group := *memberships[0].GroupId
	active := func(value string) {
		req, err := p.request("PATCH", "/Users/"+user, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":`+value+`}]}`)
		must(s.b, err)
		resp, err := s.http.Do(req)
		must(s.b, err)
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			s.b.Fatalf("active: %s: status %d", value, resp.StatusCode)
		}
	}
	// whole gives back what the last measurement took.
	whole := func() {
		if membership == "" {
			out, err := directory.CreateGroupMembership(ctx, &identitystore.CreateGroupMembershipInput{IdentityStoreId: &store, GroupId: &group, MemberId: &idtypes.MemberIdMemberUserId{Value: user}})
			must(s.b, err)
			membership = *out.MembershipId
		}
		if disabled {
			active("true")
			disabled = false
		}
		if revocation != "" {
			s.lakegate("DeleteRevocation", map[string]string{"RevocationId": revocation}, nil)
			revocation = ""
		}
	}
	return []right{
		{"DeleteAccessGrant", "bench/key", func() {
			whole()
			out, err := admin.CreateAccessGrant(ctx, &s3control.CreateAccessGrantInput{
				AccountId: aws.String(dataAccount), AccessGrantsLocationId: locations.AccessGrantsLocationsList[0].AccessGrantsLocationId, Permission: types.PermissionRead,
				AccessGrantsLocationConfiguration: &types.AccessGrantsLocationConfiguration{S3SubPrefix: aws.String("bench/*")},
				Grantee:                           &types.Grantee{GranteeType: types.GranteeTypeDirectoryUser, GranteeIdentifier: &user},
			})
			must(s.b, err)
			grant = *out.AccessGrantId
		}, func() {
			_, err := admin.DeleteAccessGrant(ctx, &s3control.DeleteAccessGrantInput{AccountId: aws.String(dataAccount), AccessGrantId: &grant})
			must(s.b, err)
		}},
		{"DeleteGroupMembership", "red/bench", whole, func() {
			_, err := directory.DeleteGroupMembership(ctx, &identitystore.DeleteGroupMembershipInput{IdentityStoreId: &store, MembershipId: &membership})
			must(s.b, err)
			membership = ""
		}},
		{"disable by SCIM", "red/bench", whole, func() {
			active("false")
			disabled = true
		}},
		{"CreateRevocation", "red/bench", whole, func() {
			var out struct{ RevocationId string }
			s.lakegate("CreateRevocation", map[string]string{"Kind": "ROLE", "Value": "arn:aws:iam::" + dataAccount + ":role/IdentityBearerRole"}, &out)
			revocation = out.RevocationId
		}},
	}
}

// mateo finds the person whose session the benchmarks use.
func (s *server) mateo(ctx context.Context) (store, user string, memberships []idtypes.GroupMembership) {
	cfg := s.config(s.administrator(centerAccount))
	instances, err := ssoadmin.NewFromConfig(cfg).ListInstances(ctx, &ssoadmin.ListInstancesInput{})
	must(s.b, err)
	store = *instances.Instances[0].IdentityStoreId
	directory := identitystore.NewFromConfig(cfg)
	users, err := directory.ListUsers(ctx, &identitystore.ListUsersInput{IdentityStoreId: &store})
	must(s.b, err)
	for _, u := range users.Users {
		if aws.ToString(u.UserName) == "mateo@example.com" {
			user = *u.UserId
		}
	}
	out, err := directory.ListGroupMembershipsForMember(ctx, &identitystore.ListGroupMembershipsForMemberInput{IdentityStoreId: &store, MemberId: &idtypes.MemberIdMemberUserId{Value: user}})
	must(s.b, err)
	return store, user, out.GroupMemberships
}

// lakegate calls an operation of the server's own service as the administrator of the data's account.
func (s *server) lakegate(operation string, in, out any) {
	body, err := json.Marshal(in)
	must(s.b, err)
	sum := sha256.Sum256(body)
	req, err := http.NewRequest("POST", "http://"+s.api+"/", bytes.NewReader(body))
	must(s.b, err)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "Lakegate."+operation)
	must(s.b, v4.NewSigner().SignHTTP(context.Background(), s.administrator(dataAccount), req, hex.EncodeToString(sum[:]), "lakegate", "us-east-1", time.Now()))
	resp, err := s.http.Do(req)
	must(s.b, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	must(s.b, err)
	if resp.StatusCode != http.StatusOK {
		s.b.Fatalf("%s: %d %s", operation, resp.StatusCode, text)
	}
	if out != nil {
		must(s.b, json.Unmarshal(text, out))
	}
}
