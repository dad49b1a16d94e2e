package grants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// Finder finds people and groups by their names, without regard to case; an empty id is nobody.
type Finder interface {
	FindUserID(ctx context.Context, storeID, userName string) (id string, err error)
	FindGroupID(ctx context.Context, storeID, displayName string) (id string, err error)
}

// ImportService is the part of lakegate's own operations that makes and reads many grants at once. A grant that is imported
// is authorised and checked like one of CreateAccessGrant, and so is made only by who could make it there.
type ImportService struct {
	*Service
	Finder Finder
}

// ImportAccessGrants makes the grants of a batch in one change. A line whose grant is there already makes none and is no
// error, so that a batch can be sent again. With OnError STOP, which is the default, any bad line means that nothing of the
// batch is made.
func (s *ImportService) ImportAccessGrants(ctx context.Context, in *lakegate.ImportAccessGrantsInput) (*lakegate.ImportAccessGrantsOutput, error) {
	if err := s.Authorizer.Authorize(ctx, authz.Request{Action: "lakegate:ImportAccessGrants", Resource: "*", Account: in.AccountId}); err != nil {
		return nil, err
	}
	trail.From(ctx).Resource(resourceType, s.instanceARN(in.AccountId), in.AccountId)
	i, err := s.instance(in.AccountId)
	if err != nil {
		return nil, lakegate.ResourceNotFoundException("The account " + in.AccountId + " has no access grants instance.").Because(err)
	}
	if err := checkSize(in.Grants); err != nil {
		return nil, err
	}
	b := &batch{ImportService: s, instance: i, names: map[Grantee]string{}}
	results := make([]lakegate.GrantImportResult, len(in.Grants))
	grants := make([]*Grant, len(in.Grants))
	failed := false
	// Most lines put the same three questions: whether the caller may make grants, and see the directory and the grantee.
	lines := authz.Batch(ctx)
	for n := range in.Grants {
		line := &in.Grants[n]
		results[n].Line = line.Line
		g, err := b.prepare(lines, line)
		if err != nil {
			if err := blame(&results[n], err); err != nil {
				return nil, err
			}
			failed = true
			continue
		}
		grants[n] = g
	}
	out := &lakegate.ImportAccessGrantsOutput{Results: results}
	if in.DryRun != nil && *in.DryRun || failed && (in.OnError == nil || *in.OnError == lakegate.GrantImportOnErrorSTOP) {
		return out, nil
	}
	err = s.Registry.db.Update(ctx, func(tx *store.Tx) error {
		out.Made = 0
		return b.insert(ctx, tx, grants, results, &out.Made)
	})
	if err != nil {
		return nil, fmt.Errorf("store imported grants: %w", err)
	}
	return out, nil
}

// MaxImport bounds the lines of a batch, in bytes as JSON: so the record in the trail has all of them.
const MaxImport = 96 << 10

// checkSize refuses a batch of which the trail could not keep everything.
func checkSize(lines []lakegate.GrantImport) error {
	size := 0
	for n := range lines {
		text, err := json.Marshal(&lines[n])
		if err != nil {
			return fmt.Errorf("measure line %d: %w", lines[n].Line, err)
		}
		if size += len(text); size > MaxImport {
			return lakegate.ValidationException(fmt.Sprintf("The lines of a batch have at most %d bytes as JSON. Send fewer at once.", MaxImport))
		}
	}
	return nil
}

// batch is an import in progress.
type batch struct {
	*ImportService
	instance *Instance
	// names are the ids of people and groups by their names, as found in this batch.
	names map[Grantee]string
}

// prepare makes a line into a grant that CreateAccessGrant would make.
func (b *batch) prepare(ctx context.Context, line *lakegate.GrantImport) (*Grant, error) {
	asked, err := scope.ParseTemplate(line.Scope, line.S3PrefixType != nil)
	if err != nil {
		return nil, invalidGrant("The grant scope is invalid: " + err.Error())
	}
	l, sub := b.locate(b.instance.Account, line.Scope, asked)
	if l == nil {
		return nil, invalidGrant("The grant scope is in no location of the account")
	}
	grantee := Grantee{GranteeType(line.GranteeType), line.Grantee}
	if grantee.ID, err = b.idOf(ctx, grantee); err != nil {
		return nil, err
	}
	in := &s3control.CreateAccessGrantInput{
		AccountId: b.instance.Account, AccessGrantsLocationId: l.ID, Permission: s3control.Permission(line.Permission), ApplicationArn: line.ApplicationArn,
		Grantee: &s3control.Grantee{GranteeType: new(s3control.GranteeType(grantee.Type)), GranteeIdentifier: &grantee.ID},
	}
	if sub != "" {
		in.AccessGrantsLocationConfiguration = &s3control.AccessGrantsLocationConfiguration{S3SubPrefix: &sub}
	}
	if line.S3PrefixType != nil {
		in.S3PrefixType = new(s3control.S3PrefixTypeObject)
	}
	for _, t := range line.Tags {
		in.Tags = append(in.Tags, s3control.Tag{Key: t.Key, Value: t.Value})
	}
	return b.newGrant(ctx, in)
}

// idOf is the id of a grantee that is given by id or by name. What is somebody's id is that person.
func (b *batch) idOf(ctx context.Context, g Grantee) (string, error) {
	_, storeID, _, ok := b.Center.InstanceOf(b.instance.IdentityCenter)
	if g.Type == IAM || !ok {
		return g.ID, nil
	}
	find := b.Finder.FindUserID
	_, known := b.Directory.UserName(storeID, g.ID)
	if g.Type == DirectoryGroup {
		find = b.Finder.FindGroupID
		_, known = b.Directory.GroupName(storeID, g.ID)
	}
	if known {
		return g.ID, nil
	}
	if id, ok := b.names[g]; ok {
		return id, nil
	}
	id, err := find(ctx, storeID, g.ID)
	if err != nil {
		return "", fmt.Errorf("find grantee by name: %w", err)
	}
	if id == "" {
		id = g.ID // CreateAccessGrant says that it does not exist
	}
	b.names[g] = id
	return id, nil
}

// insert writes the grants that are not there yet, and tells of each line what became of it.
func (b *batch) insert(ctx context.Context, tx *store.Tx, grants []*Grant, results []lakegate.GrantImportResult, made *int) error {
	locations := map[string]bool{}
	var fresh []*Grant
	line := map[string]int{}
	for n, g := range grants {
		if g == nil {
			continue
		}
		if !locations[g.LocationID] {
			// The location may have gone since it was looked at.
			if _, err := readLocation(ctx, tx, key(g.Account, g.LocationID)); err != nil {
				return notFound(err, noLocation())
			}
			locations[g.LocationID] = true
		}
		// Ids that grow are written side by side, which costs the database a third less.
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make id: %w", err)
		}
		g.ID = id.String()
		line[g.ID] = n
		fresh = append(fresh, g)
	}
	if b.Quotas.Grants > 0 {
		n, err := count(ctx, tx, `SELECT COUNT(*) FROM access_grants WHERE account = ?`, b.instance.Account)
		if err != nil {
			return err
		}
		if n+int64(len(fresh)) > int64(b.Quotas.Grants) {
			return wire.NewError("AccessGrantsQuotaExceededError", 409, "The access grant quota of the instance is exceeded.")
		}
	}
	denials := map[Grantee]int64{}
	for _, g := range fresh {
		if g.Terms.denies() {
			denials[g.Grantee]++
		}
	}
	for to, n := range denials {
		if err := b.roomToDeny(ctx, tx, b.instance.Account, to, n); err != nil {
			return err
		}
	}
	stored, err := insertGrants(ctx, tx, fresh)
	if err != nil {
		return err
	}
	for _, n := range line {
		results[n].Exists = new(true)
	}
	ids := make([]any, 0, len(stored))
	for _, g := range stored {
		n := line[g.ID]
		results[n].Exists, results[n].AccessGrantId = nil, new(g.ID)
		ids = append(ids, map[string]any{trail.KeyGrantID: g.ID})
		*made++
	}
	if len(ids) > 0 {
		trail.From(ctx).Add(trail.KeyGrants, ids)
	}
	return nil
}

// blame puts a refusal into a line's result. A failure of the server is no line's fault and comes back.
func blame(r *lakegate.GrantImportResult, err error) error {
	if denied, ok := errors.AsType[*authz.Denied](err); ok {
		r.ErrorCode, r.Message = new("AccessDenied"), new(denied.Error())
		return nil
	}
	e, ok := errors.AsType[*wire.Error](err)
	if !ok || e.Kind == wire.KindInternal || e.Code == "" {
		return err
	}
	r.ErrorCode, r.Message = new(e.Code), new(e.Message)
	return nil
}

// ExportAccessGrants lists grants whole, with their tags and the names of their grantees, in the order of ids.
func (s *ImportService) ExportAccessGrants(ctx context.Context, in *lakegate.ExportAccessGrantsInput) (*lakegate.ExportAccessGrantsOutput, error) {
	if err := s.own(ctx, "ListAccessGrants", in.AccountId, nil); err != nil {
		return nil, err
	}
	if err := s.ownPart(ctx, "ListTagsForResource", in.AccountId, s.grantARN(in.AccountId, "*"), nil); err != nil {
		return nil, err
	}
	i, err := s.instance(in.AccountId)
	if err != nil {
		return nil, lakegate.ResourceNotFoundException("The account " + in.AccountId + " has no access grants instance.").Because(err)
	}
	p, err := newPages("ExportAccessGrants", in.AccountId, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, lakegate.ValidationException("NextToken: it is not valid").Because(err)
	}
	all, err := list(ctx, s.Service, p, scanGrant, selectGrant, in.AccountId, &conditions{}, nil)
	if err != nil {
		return nil, err
	}
	found, next := cut(p, all, func(g *Grant) string { return g.ID })
	_, storeID, _, _ := s.Center.InstanceOf(i.IdentityCenter)
	out := &lakegate.ExportAccessGrantsOutput{NextToken: next, Grants: []lakegate.GrantExport{}}
	for _, g := range found {
		out.Grants = append(out.Grants, s.exported(storeID, g))
	}
	return out, nil
}

func (s *ImportService) exported(storeID string, g *Grant) lakegate.GrantExport {
	e := lakegate.GrantExport{
		AccessGrantId: g.ID, GranteeType: lakegate.GrantGranteeType(g.Grantee.Type), Grantee: g.Grantee.ID, Scope: g.Text,
		Permission: lakegate.AccessRequestPermission(g.Permission), ApplicationArn: optional(g.Application), CreatedAt: g.Created,
	}
	name := ""
	switch g.Grantee.Type {
	case DirectoryUser:
		name, _ = s.Directory.UserName(storeID, g.Grantee.ID)
	case DirectoryGroup:
		name, _ = s.Directory.GroupName(storeID, g.Grantee.ID)
	}
	e.GranteeName = optional(name)
	if g.Object {
		e.S3PrefixType = new(lakegate.GrantPrefixTypeObject)
	}
	for _, k := range slices.Sorted(maps.Keys(g.Tags)) {
		e.Tags = append(e.Tags, lakegate.GrantTag{Key: k, Value: g.Tags[k]})
	}
	return e
}
