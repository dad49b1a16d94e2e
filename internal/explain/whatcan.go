package explain

import (
	"context"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/grants"
)

// maxRead is how many grants a page reads, so that one that finds few ends all the same.
const maxRead = 10_000

// WhatCan lists what a person has, in the order of the grants' ids: each grant to the person or to a group that the person
// belongs to, with what it comes to on all of its scope. What narrower grants take from it is not looked at.
func (s *Questions) WhatCan(ctx context.Context, in *lakegate.WhatCanInput) (*lakegate.WhatCanOutput, error) {
	v, err := s.enter(ctx, "WhatCan", in.AccountId, "")
	if err != nil {
		return nil, err
	}
	p, err := s.person(v, in.Person)
	if err != nil {
		return nil, err
	}
	refused := value(in.IncludeRefused)
	q := questionOf(ctx, v, "WhatCan", p.ID, refused)
	last, err := q.after(in.NextToken)
	if err != nil {
		return nil, err
	}
	of := []grants.Grantee{{Type: grants.DirectoryUser, ID: p.ID}}
	for _, g := range s.Everybody.GroupsOf(p.StoreID, p.ID) {
		of = append(of, grants.Grantee{Type: grants.DirectoryGroup, ID: g})
	}
	a := s.asker(v, p)
	out := &lakegate.WhatCanOutput{AccountId: v.account, PersonId: p.ID, Name: known(p.UserName), Entries: []lakegate.AccessEntry{}}
	size := page(in.MaxResults)
	for read := 0; read < maxRead; {
		some, err := s.Holders.GrantsOf(ctx, v.account, of, last, size)
		if err != nil {
			return nil, err
		}
		for _, g := range some {
			if len(out.Entries) >= size {
				out.NextToken = q.token(last)
				return out, nil
			}
			last = g.ID
			for _, w := range s.Holders.WaysOf(g, a, "") {
				if w.Permission != "" || refused {
					out.Entries = append(out.Entries, s.entry(v, p, w))
				}
			}
		}
		if len(some) < size {
			return out, nil
		}
		read += len(some)
	}
	out.NextToken = q.token(last)
	return out, nil
}
