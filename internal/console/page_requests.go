package console

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/caller"
)

// requestList is one list of requests. As says in whose name its links are followed.
type requestList struct {
	Requests []lakegate.AccessRequest
	Next, As string
	Problem  *problem
}

// requestsView is the page Requests.
type requestsView struct {
	Decide, Role, Mine, All requestList
	ShowAll                 bool
}

// showRequests shows what waits for the person, for the role that they act in, and what they asked for themself.
func (v *visit) showRequests() (*answer, error) {
	view := requestsView{ShowAll: v.role != nil && v.query("all") == "1"}
	type question struct {
		list *requestList
		who  *caller.Caller
		view lakegate.AccessRequestView
		name string
	}
	questions := []question{
		{&view.Decide, v.person, lakegate.AccessRequestViewTODECIDE, "decide"},
		{&view.Mine, v.person, lakegate.AccessRequestViewMINE, "mine"},
	}
	if v.role != nil {
		view.Role.As, view.All.As = "role", "role"
		questions = append(questions, question{&view.Role, v.role.Caller, lakegate.AccessRequestViewTODECIDE, "role"})
		if view.ShowAll {
			questions = append(questions, question{&view.All, v.role.Caller, lakegate.AccessRequestViewALL, "all"})
		}
	}
	for _, q := range questions {
		in := &lakegate.ListAccessRequestsInput{View: q.view, MaxResults: new(pageLength)}
		if v.query("list") == q.name {
			in.NextToken = known(v.query("next"))
		}
		out, err := own[lakegate.ListAccessRequestsOutput](v, q.who, "ListAccessRequests", in)
		if f, ok := errors.AsType[*Failure](err); ok {
			q.list.Problem = problemOf(f)
			continue
		}
		if err != nil {
			return nil, err
		}
		q.list.Requests, q.list.Next = out.AccessRequests, plain(out.NextToken)
	}
	return &answer{page: "requests", title: "Requests", view: view}, nil
}

// asked is the form for a new request, as it was filled in.
type asked struct {
	Lakes                                            []lake
	Account, Scope, Permission, Amount, Unit, Reason string
}

func (v *visit) showNewRequest() (*answer, error) {
	form := asked{Lakes: v.lakes(), Account: v.query("account"), Scope: v.query("scope"), Permission: v.query("permission"), Amount: "8", Unit: "hour"}
	return &answer{page: "new-request", title: "Ask for access", view: form}, nil
}

// createRequest asks in the person's own name. Who asks for what they have asked for already is led to that request.
func (v *visit) createRequest() (*answer, error) {
	form := asked{
		Lakes: v.lakes(), Account: v.field("account"), Scope: v.field("scope"), Permission: v.field("permission"), Amount: v.field("amount"), Unit: v.field("unit"), Reason: v.field("reason"),
	}
	page := &answer{page: "new-request", title: "Ask for access", view: form}
	seconds, ok := secondsOf(form.Amount, form.Unit)
	if !ok {
		page.problem, page.status = badDuration(), http.StatusBadRequest
		return page, nil
	}
	mine, err := own[lakegate.ListAccessRequestsOutput](v, v.person, "ListAccessRequests", &lakegate.ListAccessRequestsInput{
		View: lakegate.AccessRequestViewMINE, Status: new(lakegate.AccessRequestStatusPENDING), MaxResults: new(1000),
	})
	if err != nil {
		return again(page, err)
	}
	for _, r := range mine.AccessRequests {
		if r.AccountId == form.Account && r.Scope == form.Scope && string(r.Permission) == form.Permission {
			return &answer{redirect: Prefix + "requests/" + r.AccessRequestId + "?done=again"}, nil
		}
	}
	out, err := own[lakegate.CreateAccessRequestOutput](v, v.person, "CreateAccessRequest", &lakegate.CreateAccessRequestInput{
		AccountId: form.Account, Scope: form.Scope, Permission: lakegate.AccessRequestPermission(form.Permission), DurationSeconds: seconds, Reason: form.Reason,
	})
	if err != nil {
		return again(page, err)
	}
	return &answer{redirect: Prefix + "requests/" + out.AccessRequest.AccessRequestId + "?done=asked"}, nil
}

func badDuration() *problem {
	return &problem{Heading: "This cannot be done", Text: "For how long: give a whole number of minutes, hours or days."}
}

// secondsOf reads a duration of a form.
func secondsOf(amount, unit string) (seconds int, ok bool) {
	n, err := strconv.ParseInt(amount, 10, 32)
	if err != nil || n <= 0 {
		return 0, false
	}
	for _, u := range units {
		if u.name == unit {
			all := n * int64(u.of/time.Second)
			return int(all), all <= math.MaxInt32
		}
	}
	return 0, false
}

// amountOf is a duration as a form has it.
func amountOf(seconds int) (amount, unit string) {
	d := time.Duration(seconds) * time.Second
	for _, u := range units {
		if d%u.of == 0 && d >= u.of {
			return strconv.FormatInt(int64(d/u.of), 10), u.name
		}
	}
	return strconv.FormatInt(int64((d+time.Minute-1)/time.Minute), 10), "minute"
}

// requestView is the page of one request, with its forms as they were filled in. As is in whose name it is decided.
type requestView struct {
	lakegate.AccessRequest
	AccountName                     string
	As                              string
	Mine, Pending                   bool
	GiveScope, GivePermission       string
	Amount, Unit, Remark, Objection string
}

func (v *visit) showRequest() (*answer, error) { return v.requestPage(v.query("as"), nil) }

func (v *visit) requestPage(as string, against error) (*answer, error) {
	out, err := own[lakegate.GetAccessRequestOutput](v, v.as(as), "GetAccessRequest", &lakegate.GetAccessRequestInput{AccessRequestId: v.r.PathValue("id")})
	if err != nil {
		if against != nil {
			return nil, against
		}
		return nil, err
	}
	r := out.AccessRequest
	view := requestView{
		AccessRequest: *r, As: as, Mine: r.UserId == v.id.UserID, Pending: r.Status == lakegate.AccessRequestStatusPENDING,
		GiveScope: r.Scope, GivePermission: string(r.Permission),
	}
	view.Amount, view.Unit = amountOf(r.DurationSeconds)
	if a, ok := v.Accounts.Account(r.AccountId); ok {
		view.AccountName = a.Name
	}
	a := &answer{page: "request", title: "Request for access", view: view}
	if against == nil {
		return a, nil
	}
	// What was typed stays.
	if s := v.field("scope"); s != "" {
		view.GiveScope, view.GivePermission, view.Amount, view.Unit, view.Remark = s, v.field("permission"), v.field("amount"), v.field("unit"), v.field("comment")
	} else {
		view.Objection = v.field("comment")
	}
	a.view = view
	return again(a, against)
}

// approveRequest gives what was asked for, or what was left of it in the form.
func (v *visit) approveRequest() (*answer, error) {
	as := v.field("as")
	seconds, ok := secondsOf(v.field("amount"), v.field("unit"))
	if !ok {
		a, err := v.requestPage(as, nil)
		if err == nil {
			a.problem, a.status = badDuration(), http.StatusBadRequest
		}
		return a, err
	}
	_, err := own[lakegate.ApproveAccessRequestOutput](v, v.as(as), "ApproveAccessRequest", &lakegate.ApproveAccessRequestInput{
		AccessRequestId: v.r.PathValue("id"), Scope: known(v.field("scope")), Permission: known(lakegate.AccessRequestPermission(v.field("permission"))),
		DurationSeconds: &seconds, Comment: known(v.field("comment")),
	})
	return v.decided("approved", as, err)
}

func (v *visit) refuseRequest() (*answer, error) {
	as := v.field("as")
	_, err := own[lakegate.RefuseAccessRequestOutput](v, v.as(as), "RefuseAccessRequest", &lakegate.RefuseAccessRequestInput{
		AccessRequestId: v.r.PathValue("id"), Comment: v.field("comment"),
	})
	return v.decided("refused", as, err)
}

func (v *visit) withdrawRequest() (*answer, error) {
	_, err := own[lakegate.WithdrawAccessRequestOutput](v, v.person, "WithdrawAccessRequest", &lakegate.WithdrawAccessRequestInput{AccessRequestId: v.r.PathValue("id")})
	return v.decided("withdrawn", "", err)
}

// decided goes on to the request, or shows it with what stood against the decision.
func (v *visit) decided(what, as string, err error) (*answer, error) {
	if err != nil {
		return v.requestPage(as, err)
	}
	to := Prefix + "requests/" + v.r.PathValue("id") + "?done=" + what
	if as == "role" {
		to += "&as=role"
	}
	return &answer{redirect: to}, nil
}
