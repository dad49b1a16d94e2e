package console

import (
	"errors"

	"github.com/lakegate/lakegate/internal/api/lakegate"
)

// reach is what the person has in one account.
type reach struct {
	lake
	Entries []lakegate.AccessEntry
	// Problem is set where the account did not answer.
	Problem *problem
	Next    string
}

// accessView is the page My access.
type accessView struct {
	Lakes []reach
	All   bool // with the grants that give nothing, and why
}

// showAccess shows what the person reaches, in their own name whatever role they act in.
func (v *visit) showAccess() (*answer, error) {
	view := accessView{All: v.query("all") == "1"}
	for _, l := range v.lakes() {
		in := &lakegate.WhatCanInput{Person: v.id.UserID, AccountId: &l.Account, IncludeRefused: &view.All, MaxResults: new(200)}
		if v.query("account") == l.Account {
			in.NextToken = known(v.query("next"))
		}
		r := reach{lake: l}
		out, err := own[lakegate.WhatCanOutput](v, v.person, "WhatCan", in)
		if f, ok := errors.AsType[*Failure](err); ok {
			r.Problem = problemOf(f)
		} else if err != nil {
			return nil, err
		} else {
			r.Entries, r.Next = out.Entries, plain(out.NextToken)
		}
		view.Lakes = append(view.Lakes, r)
	}
	return &answer{page: "access", title: "My access", view: view}, nil
}
