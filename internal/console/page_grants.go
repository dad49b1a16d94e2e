package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/api/identitystore"
	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/grants"
)

// grantRow is a grant as lists and its page show it.
type grantRow struct {
	ID, GranteeType, Grantee, Name, Scope, Permission, Application string
	Created                                                        time.Time
	Object                                                         bool
	terms
}

// terms are the reserved tags of a grant, as they were written.
type terms struct {
	NotBefore, NotAfter *time.Time
	Deny                bool
	Owner, Reason       string
	Actions             []string
}

func (t *terms) read(key, value string) {
	switch key {
	case grants.TagNotBefore, grants.TagNotAfter:
		at, err := time.Parse(time.RFC3339, value)
		if err != nil {
			return
		}
		if key == grants.TagNotBefore {
			t.NotBefore = &at
		} else {
			t.NotAfter = &at
		}
	case grants.TagEffect:
		t.Deny = value == "Deny"
	case grants.TagOwner:
		t.Owner = value
	case grants.TagReason:
		t.Reason = value
	case grants.TagActions:
		t.Actions = strings.Fields(value)
	}
}

// grantsView is the page Grants. A list that was narrowed down has no terms: those are on the page of each grant.
type grantsView struct {
	Grants                         []grantRow
	Next                           string
	GranteeType, Grantee           string
	Scope, Permission, Application string
	Filtered                       bool
}

func (v *visit) showGrants() (*answer, error) {
	view := grantsView{GranteeType: v.query("type"), Grantee: v.query("grantee"), Scope: v.query("scope"), Permission: v.query("permission"), Application: v.query("application")}
	view.Filtered = view.GranteeType+view.Grantee+view.Scope+view.Permission+view.Application != ""
	list := v.exported
	if view.Filtered {
		list = v.narrowed
	}
	page := &answer{page: "grants", title: "Grants"}
	err := list(&view)
	page.view = view
	if err != nil {
		return again(page, err)
	}
	return page, nil
}

// exported lists every grant of the role's account, whole.
func (v *visit) exported(view *grantsView) error {
	out, err := own[lakegate.ExportAccessGrantsOutput](v, v.role.Caller, "ExportAccessGrants", &lakegate.ExportAccessGrantsInput{
		AccountId: v.role.Account, MaxResults: new(pageLength), NextToken: known(v.query("next")),
	})
	if err != nil {
		return err
	}
	for _, g := range out.Grants {
		row := grantRow{
			ID: g.AccessGrantId, GranteeType: string(g.GranteeType), Grantee: g.Grantee, Name: value(g.GranteeName), Scope: g.Scope, Permission: string(g.Permission),
			Application: value(g.ApplicationArn), Created: g.CreatedAt, Object: g.S3PrefixType != nil,
		}
		for _, t := range g.Tags {
			row.read(t.Key, t.Value)
		}
		view.Grants = append(view.Grants, row)
	}
	view.Next = value(out.NextToken)
	return nil
}

// narrowed lists grants as ListAccessGrants narrows them down. A person or a group may be given by name.
func (v *visit) narrowed(view *grantsView) error {
	in := &s3control.ListAccessGrantsInput{
		AccountId: v.role.Account, MaxResults: new(pageLength), NextToken: known(v.query("next")), GranteeType: known(s3control.GranteeType(view.GranteeType)),
		Permission: known(s3control.Permission(view.Permission)), GrantScope: known(view.Scope), ApplicationArn: known(view.Application),
	}
	if view.Grantee != "" {
		id, err := v.granteeID(view.GranteeType, view.Grantee)
		if err != nil {
			return err
		}
		in.GranteeIdentifier = &id
	}
	out, err := call[s3control.ListAccessGrantsOutput](v, v.role.Caller, s3control.Model, "ListAccessGrants", in)
	if err != nil {
		return err
	}
	for _, g := range out.AccessGrantsList {
		view.Grants = append(view.Grants, v.row(g.AccessGrantId, g.Grantee, g.GrantScope, g.Permission, g.ApplicationArn, g.CreatedAt))
	}
	view.Next = value(out.NextToken)
	return nil
}

func (v *visit) row(id *string, to *s3control.Grantee, scope *string, p *s3control.Permission, app *string, created *time.Time) grantRow {
	row := grantRow{ID: value(id), Scope: value(scope), Permission: string(value(p)), Application: value(app), Created: value(created)}
	if to != nil {
		row.GranteeType, row.Grantee = string(value(to.GranteeType)), value(to.GranteeIdentifier)
	}
	switch row.GranteeType {
	case string(s3control.GranteeTypeDIRECTORYUSER):
		row.Name, _ = v.Names.UserName(v.id.IdentityStoreID, row.Grantee)
	case string(s3control.GranteeTypeDIRECTORYGROUP):
		row.Name, _ = v.Names.GroupName(v.id.IdentityStoreID, row.Grantee)
	}
	return row
}

func value[T any](p *T) (t T) {
	if p != nil {
		t = *p
	}
	return t
}

// granteeID finds who is meant by a name, in the role's name. What looks like an id is one.
func (v *visit) granteeID(kind, name string) (string, error) {
	if kind == string(s3control.GranteeTypeIAM) || strings.Count(name, "-") >= 4 && !strings.ContainsAny(name, "@ ") {
		return name, nil
	}
	text, err := json.Marshal(name)
	if err != nil {
		return "", err
	}
	by := func(attribute string) *identitystore.AlternateIdentifier {
		return &identitystore.AlternateIdentifier{UniqueAttribute: &identitystore.UniqueAttribute{AttributePath: attribute, AttributeValue: text}}
	}
	if kind == string(s3control.GranteeTypeDIRECTORYGROUP) {
		out, err := call[identitystore.GetGroupIdOutput](v, v.role.Caller, identitystore.Model, "GetGroupId", &identitystore.GetGroupIdInput{
			IdentityStoreId: v.id.IdentityStoreID, AlternateIdentifier: by("displayName"),
		})
		if err != nil {
			return "", err
		}
		return out.GroupId, nil
	}
	out, err := call[identitystore.GetUserIdOutput](v, v.role.Caller, identitystore.Model, "GetUserId", &identitystore.GetUserIdInput{
		IdentityStoreId: v.id.IdentityStoreID, AlternateIdentifier: by("userName"),
	})
	if err != nil {
		return "", err
	}
	return out.UserId, nil
}

// grantView is the page of one grant, with who would lose what if it were deleted.
type grantView struct {
	grantRow
	Changes []lakegate.AccessChange
	// More says that there are more than the page shows.
	More bool
	// Unknown is why it is not known who loses what.
	Unknown *problem
}

// maxChanges is how many changes a page shows.
const maxChanges = 100

func (v *visit) showGrant() (*answer, error) { return v.grantPage(nil) }

func (v *visit) grantPage(p *problem) (*answer, error) {
	id := v.r.PathValue("id")
	g, err := call[s3control.GetAccessGrantOutput](v, v.role.Caller, s3control.Model, "GetAccessGrant", &s3control.GetAccessGrantInput{AccountId: v.role.Account, AccessGrantId: id})
	if err != nil {
		return nil, err
	}
	view := grantView{grantRow: v.row(g.AccessGrantId, g.Grantee, g.GrantScope, g.Permission, g.ApplicationArn, g.CreatedAt)}
	tags, err := call[s3control.ListTagsForResourceOutput](v, v.role.Caller, s3control.Model, "ListTagsForResource", &s3control.ListTagsForResourceInput{
		AccountId: v.role.Account, ResourceArn: arn.AccessGrantsInstance(caller.RequestFrom(v.ctx).Region, v.role.Account) + "/grant/" + id,
	})
	if err != nil {
		return nil, err
	}
	for _, t := range tags.Tags {
		view.read(t.Key, t.Value)
	}
	out, err := own[lakegate.DiffGrantOutput](v, v.role.Caller, "DiffGrant", &lakegate.DiffGrantInput{AccessGrantId: &id, AccountId: &v.role.Account, MaxResults: new(maxChanges)})
	if f, ok := errors.AsType[*Failure](err); ok {
		view.Unknown = problemOf(f)
	} else if err != nil {
		return nil, err
	} else {
		view.Changes, view.More = out.Changes, out.NextToken != nil
	}
	a := &answer{page: "grant", title: "Grant", view: view, problem: p}
	if p != nil {
		a.status = p.Status
	}
	return a, nil
}

// deleteGrant deletes a grant that somebody looked at: the form is on the page that says who loses what.
func (v *visit) deleteGrant() (*answer, error) {
	if v.field("sure") != "yes" {
		return v.grantPage(&problem{Status: http.StatusBadRequest, Heading: "Nothing was deleted", Text: "Say that you have looked at who loses access."})
	}
	_, err := call[s3control.DeleteAccessGrantOutput](v, v.role.Caller, s3control.Model, "DeleteAccessGrant", &s3control.DeleteAccessGrantInput{
		AccountId: v.role.Account, AccessGrantId: v.r.PathValue("id"),
	})
	if err != nil {
		return nil, err
	}
	return &answer{redirect: Prefix + "grants?done=deleted"}, nil
}

// newGrant is the form for a grant, as it was filled in.
type newGrant struct {
	GranteeType, Grantee, Scope, Permission, Application string
	Begins, Ends, Reason, OwnerType, Owner, Actions      string
	Deny, Object                                         bool
	// Changes is who would gain or lose what, where that was asked.
	Changes []lakegate.AccessChange
	Asked   bool
	More    bool
}

func (v *visit) showNewGrant() (*answer, error) {
	return &answer{page: "new-grant", title: "New grant", view: newGrant{Scope: v.query("scope"), Grantee: v.query("grantee"), GranteeType: v.query("type"), Permission: v.query("permission")}}, nil
}

// createGrant makes a grant as an import of one line, which takes names and finds the location; or tells who would gain what.
func (v *visit) createGrant() (*answer, error) {
	form := newGrant{
		GranteeType: v.field("type"), Grantee: v.field("grantee"), Scope: v.field("scope"), Permission: v.field("permission"), Application: v.field("application"),
		Begins: v.field("begins"), Ends: v.field("ends"), Reason: v.field("reason"), OwnerType: v.field("owner-type"), Owner: v.field("owner"),
		Actions: strings.Join(strings.Fields(v.field("actions")), " "), Deny: v.field("deny") == "yes", Object: v.field("object") == "yes",
	}
	page := &answer{page: "new-grant", title: "New grant", view: form}
	refused := func(text string) (*answer, error) {
		page.problem, page.status = &problem{Heading: "No grant was made", Text: text}, http.StatusBadRequest
		return page, nil
	}
	tags, err := v.tagsOf(&form)
	if err != nil {
		if text, ok := errors.AsType[*refusal](err); ok {
			return refused(text.text)
		}
		return again(page, err)
	}
	if v.field("do") == "preview" {
		err := v.preview(&form, tags)
		page.view = form
		if err != nil {
			return again(page, err)
		}
		return page, nil
	}
	line := lakegate.GrantImport{
		Line: 1, GranteeType: lakegate.GrantGranteeType(form.GranteeType), Grantee: form.Grantee, Scope: form.Scope, Permission: lakegate.AccessRequestPermission(form.Permission),
		ApplicationArn: known(form.Application), Tags: tags,
	}
	if form.Object {
		line.S3PrefixType = new(lakegate.GrantPrefixTypeObject)
	}
	out, err := own[lakegate.ImportAccessGrantsOutput](v, v.role.Caller, "ImportAccessGrants", &lakegate.ImportAccessGrantsInput{AccountId: v.role.Account, Grants: []lakegate.GrantImport{line}})
	if err != nil {
		return again(page, err)
	}
	switch {
	case len(out.Results) == 1 && out.Results[0].Message != nil:
		return refused(*out.Results[0].Message)
	case len(out.Results) == 1 && value(out.Results[0].Exists):
		return refused("There is such a grant already: " + value(out.Results[0].AccessGrantId) + ".")
	case len(out.Results) != 1 || out.Results[0].AccessGrantId == nil:
		return refused("The server made no grant.")
	}
	return &answer{redirect: Prefix + "grants/" + *out.Results[0].AccessGrantId + "?done=granted"}, nil
}

// tagsOf are the terms of a grant as the reserved tags. A *refusal says which field is wrong.
func (v *visit) tagsOf(form *newGrant) (tags []lakegate.GrantTag, err error) {
	add := func(key, value string) {
		if value != "" {
			tags = append(tags, lakegate.GrantTag{Key: key, Value: value})
		}
	}
	for _, f := range []struct{ key, text, name string }{{grants.TagNotBefore, form.Begins, "Begins"}, {grants.TagNotAfter, form.Ends, "Ends"}} {
		if f.text == "" {
			continue
		}
		at, ok := instant(f.text)
		if !ok {
			return nil, &refusal{text: f.name + ": give a date and a time."}
		}
		add(f.key, at.Format(time.RFC3339))
	}
	add(grants.TagReason, form.Reason)
	add(grants.TagActions, form.Actions)
	if form.Deny {
		add(grants.TagEffect, "Deny")
	}
	if form.Owner == "" {
		return tags, nil
	}
	kind, prefix := string(s3control.GranteeTypeDIRECTORYUSER), "user/"
	if form.OwnerType == "group" {
		kind, prefix = string(s3control.GranteeTypeDIRECTORYGROUP), "group/"
	}
	id, err := v.granteeID(kind, form.Owner)
	add(grants.TagOwner, prefix+id)
	return tags, err
}

// preview asks who would gain or lose what.
func (v *visit) preview(form *newGrant, tags []lakegate.GrantTag) error {
	in := &lakegate.DiffGrantInput{
		Scope: known(form.Scope), Permission: known(lakegate.Permission(form.Permission)), GranteeType: known(lakegate.DiffGranteeType(form.GranteeType)), Grantee: known(form.Grantee),
		Application: known(form.Application), Tags: tags, AccountId: &v.role.Account, MaxResults: new(maxChanges),
	}
	if form.Object {
		in.S3PrefixType = new(lakegate.GrantPrefixTypeObject)
	}
	out, err := own[lakegate.DiffGrantOutput](v, v.role.Caller, "DiffGrant", in)
	if err != nil {
		return err
	}
	form.Changes, form.Asked, form.More = out.Changes, true, out.NextToken != nil
	return nil
}
