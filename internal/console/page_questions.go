package console

import (
	"github.com/lakegate/lakegate/internal/api/lakegate"
)

// whoView is the page Who can reach. Target is empty before anybody asked.
type whoView struct {
	Lakes                       []lake
	Target, Permission, Account string
	Refused                     bool
	Answer                      *lakegate.WhoCanOutput
	Next                        string
}

// showWho asks who reaches a prefix or a key, in the role that the person acts in, else in their own name: then they see
// themself, and everybody where the data is theirs.
func (v *visit) showWho() (*answer, error) {
	view := whoView{Lakes: v.lakes(), Target: v.query("target"), Permission: v.query("permission"), Account: v.account(), Refused: v.query("refused") == "1"}
	page := &answer{page: "who", title: "Who can reach", view: view}
	if view.Target == "" {
		return page, nil
	}
	out, err := own[lakegate.WhoCanOutput](v, v.acting(), "WhoCan", &lakegate.WhoCanInput{
		Target: view.Target, Permission: known(lakegate.Permission(view.Permission)), AccountId: known(view.Account), IncludeRefused: &view.Refused,
		MaxResults: new(100), NextToken: known(v.query("next")),
	})
	if err != nil {
		return again(page, err)
	}
	view.Answer, view.Next = out, plain(out.NextToken)
	page.view = view
	return page, nil
}

// account is whose access grants a question is about: the one that was chosen; else, for a person, the first that has any.
// A role need not choose: the operation finds the bucket's, or takes the role's own.
func (v *visit) account() string {
	if a := v.query("account"); a != "" || v.role != nil {
		return a
	}
	if all := v.lakes(); len(all) > 0 {
		return all[0].Account
	}
	return ""
}

// whyView is the page Why.
type whyView struct {
	Lakes                                            []lake
	Person, Target, Permission, Application, Account string
	Request                                          string
	Self                                             string
	Answer                                           *lakegate.WhyAsOutput
	Record                                           *lakegate.WhyOutput
}

// showWhy walks the chain for a person and a prefix, or tells of one request.
func (v *visit) showWhy() (*answer, error) {
	view := whyView{
		Lakes: v.lakes(), Person: v.query("person"), Target: v.query("target"), Permission: v.query("permission"), Application: v.query("application"), Account: v.account(),
		Request: v.query("request"), Self: v.guest.UserName,
	}
	page := &answer{page: "why", title: "Why, or why not", view: view}
	switch {
	case view.Request != "":
		out, err := own[lakegate.WhyOutput](v, v.acting(), "Why", &lakegate.WhyInput{RequestId: view.Request})
		if err != nil {
			return again(page, err)
		}
		view.Record = out
	case view.Target != "":
		person := view.Person
		if person == "" {
			person = v.id.UserID
		}
		out, err := own[lakegate.WhyAsOutput](v, v.acting(), "WhyAs", &lakegate.WhyAsInput{
			Person: person, Target: view.Target, Permission: lakegate.Permission(view.Permission), Application: known(view.Application), AccountId: known(view.Account),
		})
		if err != nil {
			return again(page, err)
		}
		view.Answer = out
	}
	page.view = view
	return page, nil
}

// lintView is the page Findings.
type lintView struct {
	*lakegate.LintGrantsOutput
	Next string
}

func (v *visit) showLint() (*answer, error) {
	out, err := own[lakegate.LintGrantsOutput](v, v.role.Caller, "LintGrants", &lakegate.LintGrantsInput{
		AccountId: known(v.query("account")), MaxResults: new(100), NextToken: known(v.query("next")),
	})
	if err != nil {
		return nil, err
	}
	return &answer{page: "lint", title: "Findings", view: lintView{out, plain(out.NextToken)}}, nil
}
