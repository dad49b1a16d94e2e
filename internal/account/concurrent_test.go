package account_test

import (
	"sync"
	"testing"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/caller"
)

// TestDecisionsWhileThingsChange: readers see each change whole, and the change that was acknowledged at once.
func TestDecisionsWhileThingsChange(t *testing.T) {
	h := house1(t)
	ctx := h.admin(member)
	c := caller.From(h.user("mateo", ""))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				h.may(c, "s3:GetObject", object)
				if _, _, err := h.registry.Lookup(c.AccessKeyID); err != nil {
					t.Errorf("a key that nobody touched: %v", err)
					return
				}
			}
		})
	}
	for range 20 {
		must(h.iam.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: "mateo", PolicyArn: s3ReadOnly}))
		if !h.may(c, "s3:GetObject", object) {
			t.Error("a policy that was attached is not in effect")
		}
		must(h.iam.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: "mateo", PolicyArn: s3ReadOnly}))
		if h.may(c, "s3:GetObject", object) {
			t.Error("a policy that was detached is in effect")
		}
	}
	close(stop)
	readers.Wait()
}
