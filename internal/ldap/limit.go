package ldap

import (
	"errors"
	"fmt"
)

// Loss counts how many of a kind lose their access, of how many that have it.
type Loss struct {
	Lost int `json:"lost"`
	Of   int `json:"of"`
}

// Losses is what a plan takes away: enabled people, groups, and memberships of people who stay.
type Losses struct {
	People      Loss `json:"people"`
	Groups      Loss `json:"groups"`
	Memberships Loss `json:"memberships"`
}

// What a run may always take away, so that a small company can lose a person, unless that is all that there is.
const (
	sparePeople      = 5
	spareGroups      = 5
	spareMemberships = 25
	// fewMemberships are so few that all of them may end.
	fewMemberships = 5
)

// ErrLimit is wrapped by the refusal of a plan that takes away too much.
var ErrLimit = errors.New("the safety limit is exceeded")

// Within says whether a plan stays within the limit. Taking everything is never within: it is what a broken server, a
// wrong base or a bind name without rights looks like.
func (l *Losses) Within(percent int) error {
	for _, x := range []struct {
		Loss
		spare, few int
		what       string
	}{
		{l.People, sparePeople, 0, "people"}, {l.Groups, spareGroups, 0, "groups"}, {l.Memberships, spareMemberships, fewMemberships, "memberships"},
	} {
		if x.Lost > x.few && x.Lost == x.Of || x.Lost > x.spare && x.Lost*100 > percent*x.Of {
			return fmt.Errorf("%w: %d of %d %s would lose their access, and the limit is %d %%; see what the source answers, then force the run if that is meant",
				ErrLimit, x.Lost, x.Of, x.what, percent)
		}
	}
	return nil
}
