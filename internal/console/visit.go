package console

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// visit is one request of somebody who is signed in.
type visit struct {
	*Console
	r     *http.Request
	ctx   context.Context
	guest *Guest // nil until it is known who it is
	id    *caller.Identity
	// person is the caller in the person's own name, role the one in the session of the permission set that they took, if any.
	person *caller.Caller
	role   *role
	// ended says that a role was taken and is the person's no more.
	ended bool
}

// The places that sealed texts are bound to, so that none passes for another.
const (
	placeForm = "console-form"
	placeRole = "console-role"
)

// enter notes who it is. An identity is a copy: sessions keep pointers to it.
func (v *visit) enter(g *Guest) {
	id := g.Identity
	v.guest, v.id = g, &id
	v.person = &caller.Caller{
		Type: caller.Person, Account: g.Account, UserID: id.UserID, ARN: "arn:aws:identitystore:::user/" + id.UserID, OnBehalf: &id, Auth: "Browser",
	}
	v.role = v.currentRole()
}

// formTime is how long a page may be open before its forms are sent.
const formTime = 12 * time.Hour

// ticket is what a form carries: for which browser session it was made, and until when it counts.
type ticket struct {
	Session []byte `json:"s"`
	Expires int64  `json:"e"`
}

func (v *visit) ticket() string {
	return v.sealed(placeForm, ticket{v.guest.Session, v.Now().Add(formTime).Unix()})
}

func (c *Console) sealed(place string, value any) string {
	text, _ := json.Marshal(value) // texts and numbers can always be encoded
	return base64.RawURLEncoding.EncodeToString(c.Sealer.Seal(place, text))
}

func (c *Console) unsealed(place, text string, value any) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return errors.New("not made here")
	}
	if raw, err = c.Sealer.Unseal(place, raw); err != nil {
		return errors.New("not made here, or altered")
	}
	if err := json.Unmarshal(raw, value); err != nil {
		return fmt.Errorf("decode %s: %w", place, err)
	}
	return nil
}

// admit lets a change through that was sent by a form of this origin, made for this browser session. What is decided is in
// the form alone. A refusal is recorded: somebody may be trying to act through the person's browser.
func (v *visit) admit(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return nil
	}
	why := v.foreign(w, r)
	if why == nil {
		return nil
	}
	ctx, e := v.Trail.Begin(v.ctx, trail.Operation{Source: lakegate.Model.EventSource, Name: "ConsoleForm"})
	e.Caller(v.person)
	e.Asked("page", r.URL.Path)
	e.Step("form", trail.Fail, why.Error())
	if err := v.Trail.Finish(ctx, e, wire.NewError("AccessDeniedException", http.StatusForbidden, "The form was not accepted.")); err != nil {
		return fmt.Errorf("record refused form: %w", err)
	}
	return &refusal{http.StatusForbidden, "This form is no longer open", "Nothing was changed. The page was open for too long, or belongs to another sign-in. Open it again and repeat what you wanted to do."}
}

func (v *visit) foreign(w http.ResponseWriter, r *http.Request) error {
	if err := v.cross.Check(r); err != nil {
		return fmt.Errorf("the form comes from another site: %w", err)
	}
	if o := r.Header.Get("Origin"); o != "" && o != v.WebURL && !strings.HasSuffix(o, "://"+r.Host) {
		return errors.New("the form comes from another origin")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	r.URL.RawQuery = ""
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("read form: %w", err)
	}
	v.r.PostForm, v.r.Form, v.r.URL = r.PostForm, r.Form, r.URL
	var t ticket
	if tokens := r.PostForm["token"]; len(tokens) != 1 {
		return errors.New("the form has no token")
	} else if err := v.unsealed(placeForm, tokens[0], &t); err != nil {
		return fmt.Errorf("the token of the form: %w", err)
	}
	switch {
	case subtle.ConstantTimeCompare(t.Session, v.guest.Session) != 1:
		return errors.New("the form was shown to another browser session")
	case v.Now().Unix() >= t.Expires:
		return errors.New("the form was shown too long ago")
	}
	return nil
}

// call does an operation in somebody's name.
func call[O any](v *visit, who *caller.Caller, service *wire.ServiceModel, operation string, in any) (*O, error) {
	out, err := v.Operations.Do(v.ctx, who, service, operation, in)
	if err != nil {
		return nil, err
	}
	o, ok := out.(*O)
	if !ok {
		return nil, fmt.Errorf("%s answered with %T", operation, out)
	}
	return o, nil
}

// own does one of lakegate's own operations.
func own[O any](v *visit, who *caller.Caller, operation string, in any) (*O, error) {
	return call[O](v, who, lakegate.Model, operation, in)
}

// acting is in whose name questions are asked: the role that was taken, else the person.
func (v *visit) acting() *caller.Caller {
	if v.role != nil {
		return v.role.Caller
	}
	return v.person
}

// as is in whose name a form or link says that it is: a request may be the person's to decide, or the role's.
func (v *visit) as(name string) *caller.Caller {
	if name == "role" && v.role != nil {
		return v.role.Caller
	}
	return v.person
}

// field is what was typed into a field of a form, without the space around it.
func (v *visit) field(name string) string { return strings.TrimSpace(v.r.PostForm.Get(name)) }

// query is a parameter of the page.
func (v *visit) query(name string) string { return strings.TrimSpace(v.r.URL.Query().Get(name)) }

// known is a text as an optional member: nothing for the empty one.
func known[T ~string](s T) *T {
	if s == "" {
		return nil
	}
	return &s
}

// lake is an account that has access grants for the people of the person's identity center.
type lake struct{ Account, Name string }

// maxLakes bounds how many accounts a page asks.
const maxLakes = 50

// lakes lists the accounts in which the person may have something.
func (v *visit) lakes() []lake {
	var all []lake
	for _, i := range v.Lakes.Associated(v.id.InstanceARN) {
		l := lake{Account: i.Account}
		if a, ok := v.Accounts.Account(i.Account); ok {
			l.Name = a.Name
		}
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b lake) int { return strings.Compare(a.Account, b.Account) })
	return all[:min(len(all), maxLakes)]
}

// problem is what went wrong, as a page shows it.
type problem struct {
	Status                   int
	Heading, Text, Reference string
}

func problemOf(f *Failure) *problem {
	p := &problem{Status: http.StatusBadRequest, Heading: "This cannot be done", Text: f.Err.Message, Reference: f.Reference}
	switch code := f.Err.Code; {
	case strings.HasPrefix(code, "AccessDenied"):
		p.Status, p.Heading = http.StatusForbidden, "You may not do this"
	case strings.HasSuffix(code, "NotFoundException") || strings.HasPrefix(code, "NoSuch") || strings.HasSuffix(code, "NotExistsError"):
		p.Status, p.Heading = http.StatusNotFound, "Not found"
	case strings.HasPrefix(code, "Conflict"):
		p.Status, p.Heading = http.StatusConflict, "This was decided before"
	case f.Err.Status >= http.StatusInternalServerError:
		p.Status, p.Heading = f.Err.Status, "Something went wrong"
	}
	return p
}

// again shows a form once more with what an operation said against it. Other errors stay errors.
func again(a *answer, err error) (*answer, error) {
	f, ok := errors.AsType[*Failure](err)
	if !ok {
		return nil, err
	}
	a.problem = problemOf(f)
	a.status = a.problem.Status
	return a, nil
}

// frame is what a page is made of: what every page has, and V, what it is about.
type frame struct {
	Title, Path, Base string
	SignedIn          bool
	Person            string
	Token             string
	Role              *role
	Ended             bool
	HasRoles          bool
	Done              string
	Problem           *problem
	SignOut           string
	V                 any
}

func (v *visit) frame(a *answer) *frame {
	f := &frame{Title: a.title, Path: v.r.URL.Path, Base: v.WebURL, Problem: a.problem, V: a.view, SignOut: v.Console.SignOut}
	if v.guest == nil {
		return f
	}
	p := v.guest
	f.SignedIn, f.Person, f.Token, f.Role, f.Ended = true, p.UserName, v.ticket(), v.role, v.ended
	if p.DisplayName != "" {
		f.Person = p.DisplayName
	}
	f.HasRoles = len(v.Portal.RolesOf(v.id)) > 0
	if v.r.Method == http.MethodGet && a.code() == http.StatusOK {
		f.Done = done[v.query("done")]
	}
	return f
}

// done is what a page says after a change. The link only names which.
var done = map[string]string{
	"asked":     "Your request was made. Whoever decides about this prefix can see it now.",
	"again":     "You had asked for this already: here is your request.",
	"approved":  "Approved. The grant counts from now on.",
	"refused":   "Refused. Whoever asked sees your reason.",
	"withdrawn": "Your request was withdrawn.",
	"granted":   "The grant was made. It counts from now on.",
	"deleted":   "The grant was deleted. Those who had access by it alone have none from now on.",
	"revoked":   "Revoked. Every session that it names is refused from now on.",
	"restored":  "The revocation was taken back. What it had ended and has not expired works again.",
	"role":      "You act in the role now. Every step is recorded under your name.",
	"left":      "You act in your own name again.",
}
