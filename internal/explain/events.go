package explain

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/trail"
)

// Events is what the questions ask of the audit log of this node.
type Events interface {
	Node() string
	Position() trail.Position
	Appended() <-chan struct{}
	Flush() error
	Search(ctx context.Context, f *trail.Filter, from trail.Position, d trail.Direction, visit func(trail.Hit) bool) (next trail.Position, more bool, err error)
}

// Nodes knows which other nodes have logs of their own.
type Nodes interface {
	Elsewhere(ctx context.Context, since time.Time) ([]trail.Elsewhere, error)
}

// elsewhere tells of the logs that an answer from this node's log leaves out.
func (s *Questions) elsewhere(ctx context.Context, since *time.Time) (gaps []string, err error) {
	if s.Nodes == nil {
		return nil, nil
	}
	others, err := s.Nodes.Elsewhere(ctx, value(since))
	for _, o := range others {
		gaps = append(gaps, "node "+o.Node+" has a log of its own, which grew until "+o.Last.UTC().Format(time.RFC3339)+": ask that node as well")
	}
	return gaps, err
}

const (
	defaultEvents = 100
	// maxEventBytes bounds a page, whose last record may be the largest that there is.
	maxEventBytes = 4 << 20
)

// QueryEvents finds records of all kinds, management and data, allowed and refused, in the audit log of the node that
// answers. An account sees the records that it has a copy of; the management account those of any account, and those that
// are nobody's. A person, in a session with an identity context, sees what they did themself, in any account, and all that
// touched an object that is theirs (lakegate:Owner). A page may have no event and a token: the search goes on there.
func (s *Questions) QueryEvents(ctx context.Context, in *lakegate.QueryEventsInput) (*lakegate.QueryEventsOutput, error) {
	f, err := s.filterOf(ctx, in)
	if err != nil {
		return nil, err
	}
	if value(in.WaitSeconds) > 0 {
		f.Except.Event, f.Except.AccessKey = "QueryEvents", caller.From(ctx).AccessKeyID
	}
	d := trail.Backward
	if in.Order != nil && *in.Order == lakegate.EventOrderOLDESTFIRST {
		d = trail.Forward
	}
	asked := *in
	asked.NextToken, asked.MaxResults, asked.WaitSeconds, asked.Order = nil, nil, nil, nil
	q := questionOf(ctx, &viewer{account: f.Own}, "QueryEvents", d, asked)
	onward := questionOf(ctx, &viewer{account: f.Own}, "QueryEvents", trail.Forward, asked)
	token, err := q.after(in.NextToken)
	if err != nil {
		return nil, err
	}
	from, err := trail.ParsePosition(token)
	if err != nil {
		return nil, lakegate.ValidationException("The NextToken is not valid.").Because(err)
	}
	out := &lakegate.QueryEventsOutput{Node: s.Events.Node(), Events: []string{}}
	if in.NextToken == nil {
		if out.Incomplete, err = s.elsewhere(ctx, in.From); err != nil {
			return nil, err
		}
	}
	f.Damaged = func(what string) { out.Incomplete = append(out.Incomplete, what) }
	// What was answered before the question is found by it.
	if err := s.Events.Flush(); err != nil {
		return nil, err
	}
	if d == trail.Backward && in.NextToken == nil {
		// Whoever asks for the oldest first from here on gets what comes after this page, and nothing twice.
		from = s.Events.Position()
		out.Position = onward.token(from.String())
	}
	size, most := 0, min(value(in.MaxResults), 1000)
	if most == 0 {
		most = defaultEvents
	}
	wait := time.NewTimer(time.Duration(value(in.WaitSeconds)) * time.Second)
	defer wait.Stop()
	for {
		newer := s.Events.Appended()
		next, more, err := s.Events.Search(ctx, f, from, d, func(h trail.Hit) bool {
			out.Events = append(out.Events, string(h.Record))
			size += len(h.Record)
			return len(out.Events) < most && size < maxEventBytes
		})
		if errors.Is(err, trail.ErrPositionUnknown) {
			return nil, lakegate.ValidationException("The NextToken is another node's, or of a log that is gone.").Because(err)
		}
		if err != nil {
			return nil, err
		}
		if more {
			out.NextToken = q.token(next.String())
		}
		if d == trail.Backward {
			return out, nil
		}
		out.Position = q.token(next.String())
		if more || len(out.Events) > 0 || value(in.WaitSeconds) == 0 {
			return out, nil
		}
		from = next
		select {
		case <-newer:
		case <-wait.C:
			return out, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// filterOf authorises the question and turns it into a filter that finds no more than the caller may see.
func (s *Questions) filterOf(ctx context.Context, in *lakegate.QueryEventsInput) (*trail.Filter, error) {
	c := caller.From(ctx)
	self := selfOf(c)
	err := s.Doctor.Authorizer.Authorize(ctx, authz.Request{Action: "lakegate:QueryEvents", Resource: "*", Unguarded: c.OnBehalf != nil})
	if err != nil {
		return nil, err
	}
	if c.Session != nil && c.Session.Vended != nil {
		return nil, lakegate.AccessDeniedException("Credentials of an access grant cannot ask about events.")
	}
	f := &trail.Filter{
		Principal: value(in.Principal), AccessKey: value(in.AccessKeyId), Application: value(in.ApplicationArn), Grant: value(in.AccessGrantId), Event: value(in.EventName),
		Source: value(in.EventSource), Decision: string(value(in.Decision)), Request: value(in.RequestId), Address: value(in.SourceIpAddress),
		From: value(in.From), To: value(in.To), Kind: map[lakegate.EventKind]string{lakegate.EventKindMANAGEMENT: "management", lakegate.EventKindDATA: "data"}[value(in.Category)],
	}
	account := cmp.Or(value(in.AccountId), c.Account)
	if in.Object != nil {
		t, err := scope.ParseTarget(*in.Object, false)
		if err != nil {
			return nil, lakegate.ValidationException("Object: " + err.Error())
		}
		f.Bucket, f.Key, f.Below = t.Bucket, t.Key, t.Wild
	}
	if self != nil {
		return f, s.limitToSelf(ctx, f, self, in)
	}
	management := s.Principals.IsManagement(c.Account)
	if account != c.Account && !management {
		return nil, lakegate.AccessDeniedException("An account sees the events that it has a copy of.")
	}
	f.Accounts = []string{account}
	if management && account == c.Account {
		f.Accounts = append(f.Accounts, "")
	}
	if in.Person != nil {
		f.Persons = s.namesOf(account, *in.Person)
	}
	return f, nil
}

// selfOf is the person who asks and sees themself alone. Who came in through the portal asks as the role that they were
// given, with what its policies let it see.
func selfOf(c *caller.Caller) *caller.Identity {
	if c.Session != nil && c.Session.Portal != nil {
		return nil
	}
	return c.OnBehalf
}

// limitToSelf narrows a filter to what a person did, or to the objects that are theirs.
func (s *Questions) limitToSelf(ctx context.Context, f *trail.Filter, self *caller.Identity, in *lakegate.QueryEventsInput) error {
	if in.AccountId != nil {
		return lakegate.AccessDeniedException("A person sees what they did themself, in any account.")
	}
	b, ok := s.Buckets.Lookup(f.Bucket)
	if ok {
		if i, has := s.Holders.InstanceOf(b.Account); has && i.IdentityCenter == self.InstanceARN {
			sc := scope.Scope{Bucket: f.Bucket, Prefix: f.Key, One: !f.Below}
			owns, err := s.owns(ctx, &viewer{account: b.Account, self: self}, sc)
			if err != nil {
				return err
			}
			if owns {
				f.Accounts = []string{b.Account}
				if in.Person != nil {
					f.Persons = s.namesOf(b.Account, *in.Person)
				}
				return nil
			}
		}
	}
	f.Own, f.Anywhere = self.UserID, true
	if in.Person == nil || *in.Person == self.UserID {
		return nil
	}
	if p, ok := s.Everybody.User(self.IdentityStoreID, self.UserID); !ok || *in.Person != p.UserName {
		return lakegate.AccessDeniedException("A person sees what they did themself.")
	}
	return nil
}

// namesOf are the names under which a person is in records: the one that was given, and those of who has it today.
func (s *Questions) namesOf(account, name string) []string {
	names := []string{name}
	i, ok := s.Holders.InstanceOf(account)
	if !ok || i.IdentityCenter == "" {
		return names
	}
	instance, ok := s.Doctor.Center.Instance(i.IdentityCenter)
	if !ok {
		return names
	}
	if p, err := s.person(&viewer{account: account, instance: instance}, name); err == nil {
		names = append(names, p.ID, p.UserName)
	}
	return names
}
