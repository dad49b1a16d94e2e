package grants_test

import (
	"fmt"
	"testing"

	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/arn"
)

// BenchmarkDenials decides a request with credentials of a grant, beneath whose scope so many grants deny something to the
// person.
func BenchmarkDenials(b *testing.B) {
	for _, n := range []int{0, 1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("denials=%d", n), func(b *testing.B) {
			h := founded(b, "sqlite")
			user, c := h.mateo()
			h.grant(toUser(user, "lake/*", s3control.PermissionREAD))
			for i := range n {
				h.grant(with(toUser(user, fmt.Sprintf("lake/no/%d/*", i), s3control.PermissionREAD), "lakegate:Effect=Deny"))
			}
			v := h.vended(c, "s3://lake/*", s3control.PermissionREAD)
			for b.Loop() {
				if !h.may(v, "s3:GetObject", arn.Object("lake", "yes")).Allowed {
					b.Fatal("denied")
				}
			}
		})
	}
}
