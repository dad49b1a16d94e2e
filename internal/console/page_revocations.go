package console

import (
	"net/http"
	"time"

	"github.com/lakegate/lakegate/internal/api/lakegate"
)

// revocationsView is the page Revoke.
type revocationsView struct {
	Revocations                 []lakegate.Revocation
	Next                        string
	Kind, Value, Before, Reason string
}

func (v *visit) showRevocations() (*answer, error) {
	return v.revocationsPage(revocationsView{Kind: v.query("kind"), Value: v.query("value")})
}

func (v *visit) revocationsPage(view revocationsView) (*answer, error) {
	in := &lakegate.ListRevocationsInput{MaxResults: new(pageLength)}
	if v.r.Method == http.MethodGet {
		in.NextToken = known(v.query("next"))
	}
	out, err := own[lakegate.ListRevocationsOutput](v, v.role.Caller, "ListRevocations", in)
	if err != nil {
		return nil, err
	}
	view.Revocations, view.Next = out.Revocations, plain(out.NextToken)
	return &answer{page: "revocations", title: "Revoke", view: view}, nil
}

// minuteFormat is how browsers write what is typed into a field for a date and time.
const minuteFormat = "2006-01-02T15:04"

// instant reads a field for a date and time, which is UTC as its label says. Some browsers add seconds.
func instant(text string) (time.Time, bool) {
	for _, format := range []string{minuteFormat, "2006-01-02T15:04:05", time.RFC3339} {
		if t, err := time.Parse(format, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

func (v *visit) createRevocation() (*answer, error) {
	view := revocationsView{Kind: v.field("kind"), Value: v.field("value"), Before: v.field("before"), Reason: v.field("reason")}
	in := &lakegate.CreateRevocationInput{Kind: lakegate.RevocationKind(view.Kind), Value: known(view.Value), Reason: known(view.Reason)}
	refused := func(text string) (*answer, error) {
		page, err := v.revocationsPage(view)
		if err == nil {
			page.problem, page.status = &problem{Heading: "This cannot be done", Text: text}, http.StatusBadRequest
		}
		return page, err
	}
	if view.Before != "" {
		t, ok := instant(view.Before)
		if !ok {
			return refused("Issued before: give a date and a time.")
		}
		in.IssuedBefore = &t
	}
	if v.field("sure") != "yes" {
		return refused("Say that you are sure: people may be in the middle of their work.")
	}
	err := v.namePerson(in)
	if err == nil {
		_, err = own[lakegate.CreateRevocationOutput](v, v.role.Caller, "CreateRevocation", in)
	}
	if err != nil {
		page, listErr := v.revocationsPage(view)
		if listErr != nil {
			return nil, err
		}
		return again(page, err)
	}
	return &answer{redirect: Prefix + "revocations?done=revoked"}, nil
}

// namePerson puts the user id in the place of a user name.
func (v *visit) namePerson(in *lakegate.CreateRevocationInput) error {
	if in.Kind != lakegate.RevocationKindPERSON || in.Value == nil {
		return nil
	}
	id, err := v.granteeID("", *in.Value)
	in.Value = &id
	return err
}

func (v *visit) withdrawRevocation() (*answer, error) {
	if _, err := own[lakegate.DeleteRevocationOutput](v, v.role.Caller, "DeleteRevocation", &lakegate.DeleteRevocationInput{RevocationId: v.r.PathValue("id")}); err != nil {
		return nil, err
	}
	return &answer{redirect: Prefix + "revocations?done=restored"}, nil
}
