package request

import (
	"time"

	"github.com/lakegate/lakegate/internal/grants"
)

// Status is where a request stands.
type Status string

// The states of a request.
const (
	Pending   Status = "PENDING"
	Approved  Status = "APPROVED"
	Refused   Status = "REFUSED"
	Withdrawn Status = "WITHDRAWN"
	Expired   Status = "EXPIRED"
)

// Request is what a person asked for.
type Request struct {
	ID string
	// Account whose access grants instance is asked.
	Account string
	// StoreID and UserID are the person, Application is through which one they asked; it may be empty.
	StoreID, UserID, Application string
	Scope                        string
	Permission                   grants.Permission
	// Duration of the grant, from its approval on.
	Duration time.Duration
	Reason   string
	Status   Status
	Created  time.Time
	// Expires is when it lapses if nobody decides.
	Expires time.Time

	// How it ended; zero while it is pending. Scope, Permission and Duration are then what was given.
	Decided   time.Time
	DecidedBy string
	Comment   string
	GrantID   string
	GrantEnds time.Time
}

// at is the request as it stands at a moment: a pending one lapses by itself.
func (r *Request) at(now time.Time) *Request {
	if r.Status != Pending || now.Before(r.Expires) {
		return r
	}
	lapsed := *r
	lapsed.Status = Expired
	return &lapsed
}

// ends is when its grant ends that is made now. A grant ends at a second.
func (r *Request) ends(now time.Time) time.Time { return now.Add(r.Duration).Truncate(time.Second) }

// Limits bound requests; zero takes the default.
type Limits struct {
	// Longest is the longest a grant can be asked for; default 90 days.
	Longest time.Duration
	// Patience is how long a request waits for a decision; default 14 days.
	Patience time.Duration
	// Open is how many pending requests a person may have; default 20. An account has at most a thousand times as many.
	Open int
}

func (l Limits) longest() time.Duration {
	if l.Longest == 0 {
		return 90 * 24 * time.Hour
	}
	return l.Longest
}

func (l Limits) patience() time.Duration {
	if l.Patience == 0 {
		return 14 * 24 * time.Hour
	}
	return l.Patience
}

func (l Limits) open() int {
	if l.Open == 0 {
		return 20
	}
	return l.Open
}

// inAccount is how many times the pending requests of one person an account may have in all.
const inAccount = 1000
