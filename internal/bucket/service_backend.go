package bucket

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/storage/remote"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// Accounts tells which accounts there are, and which manages the organization; account provides it.
type Accounts interface {
	IsManagement(account string) bool
	IsActive(account string) bool
}

// BackendService is the part of lakegate's own operations that is about storage elsewhere. It is for the management
// account, whose administrators say where the organization's data is.
type BackendService struct {
	Registry   *Registry
	Accounts   Accounts
	Authorizer *authz.Authorizer
}

// maxBackends bounds what is in memory, with connections of its own each.
const maxBackends = 100

func (s *BackendService) enter(ctx context.Context, operation string) error {
	if err := s.Authorizer.Authorize(ctx, authz.Request{Action: "lakegate:" + operation, Resource: "*"}); err != nil {
		return err
	}
	if account := caller.From(ctx).Account; !s.Accounts.IsManagement(account) {
		why := "backends belong to the management account"
		trail.From(ctx).Step("backends", trail.Fail, why)
		return wire.AccessDenied("User: " + caller.From(ctx).ARN + " is not authorized to perform: lakegate:" + operation + ": " + why).Because(errors.New(why))
	}
	return nil
}

// CreateBackend makes a backend. Nothing is asked of the service: TestBackend does.
func (s *BackendService) CreateBackend(ctx context.Context, in *lakegate.CreateBackendInput) (*lakegate.CreateBackendOutput, error) {
	if err := s.enter(ctx, "CreateBackend"); err != nil {
		return nil, err
	}
	now := stamp(s.Registry.db.Now())
	b := &Backend{Name: in.Name, Created: now, Updated: now, Settings: Settings{Endpoint: in.Endpoint, AccessKeyID: in.AccessKeyId}, secrets: secrets{SecretAccessKey: in.SecretAccessKey}}
	b.apply(settingsInput{
		region: in.Region, addressing: in.Addressing, ca: in.CaCertificates, certificate: in.ClientCertificate, insecure: in.InsecureSkipVerify, checksums: in.Checksums,
		noTrailers: in.NoTrailers, connections: in.MaxConnections, newBuckets: in.NewBuckets, accounts: in.Accounts, token: in.SessionToken, clientKey: in.ClientKey, sts: in.StsEndpoint,
	})
	if err := b.check(); err != nil {
		return nil, lakegate.ValidationException(err.Error())
	}
	if s.Registry.backends.files[b.Name] != nil {
		return nil, lakegate.ConflictException("A backend of this name is in the configuration file.")
	}
	err := s.Registry.db.Update(ctx, func(tx *store.Tx) error {
		if _, err := readBackend(ctx, tx, s.Registry.db, b.Name); err == nil {
			return lakegate.ConflictException("There is a backend of this name.")
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		n, err := countBackends(ctx, tx)
		if err != nil {
			return err
		}
		if n >= maxBackends {
			return lakegate.ServiceQuotaExceededException(fmt.Sprintf("There are %d backends.", maxBackends))
		}
		return insertBackend(ctx, tx, s.Registry.db, b)
	})
	if err != nil {
		return nil, spellBackend(err)
	}
	shown, err := s.show(ctx, b)
	return &lakegate.CreateBackendOutput{Backend: &shown}, err
}

// settingsInput is what CreateBackend and UpdateBackend have in common; nil leaves a setting as it is.
type settingsInput struct {
	region, ca, certificate, newBuckets, token, clientKey, sts *string
	addressing                                                 *lakegate.BackendAddressing
	checksums                                                  *lakegate.BackendChecksums
	insecure, noTrailers                                       *bool
	connections                                                *int
	accounts                                                   []string
}

func (b *Backend) apply(in settingsInput) {
	set(&b.Settings.Region, in.region)
	set(&b.Settings.CACertificates, in.ca)
	set(&b.Settings.ClientCertificate, in.certificate)
	set(&b.Settings.NewBuckets, in.newBuckets)
	set(&b.Settings.InsecureSkipVerify, in.insecure)
	set(&b.Settings.NoTrailers, in.noTrailers)
	set(&b.Settings.MaxConnections, in.connections)
	set(&b.Settings.STSEndpoint, in.sts)
	set(&b.secrets.SessionToken, in.token)
	set(&b.secrets.ClientKey, in.clientKey)
	if in.addressing != nil {
		b.Settings.VirtualHost = *in.addressing == lakegate.BackendAddressingVIRTUALHOST
	}
	if in.checksums != nil {
		b.Settings.VerifyHere = *in.checksums == lakegate.BackendChecksumsGATE
	}
	if in.accounts != nil {
		b.Settings.Accounts = in.accounts
	}
}

func set[T any](v *T, to *T) {
	if to != nil {
		*v = *to
	}
}

// GetBackend describes a backend without its secrets.
func (s *BackendService) GetBackend(ctx context.Context, in *lakegate.GetBackendInput) (*lakegate.GetBackendOutput, error) {
	if err := s.enter(ctx, "GetBackend"); err != nil {
		return nil, err
	}
	o, ok := s.Registry.backends.get(in.Name)
	if !ok {
		return nil, spellBackend(errNoBackend)
	}
	shown, err := s.show(ctx, o.Backend)
	return &lakegate.GetBackendOutput{Backend: &shown}, err
}

// ListBackends describes all backends.
func (s *BackendService) ListBackends(ctx context.Context, _ *lakegate.ListBackendsInput) (*lakegate.ListBackendsOutput, error) {
	if err := s.enter(ctx, "ListBackends"); err != nil {
		return nil, err
	}
	out := &lakegate.ListBackendsOutput{Backends: []lakegate.Backend{}}
	for _, o := range s.Registry.backends.all() {
		shown, err := s.show(ctx, o.Backend)
		if err != nil {
			return nil, err
		}
		out.Backends = append(out.Backends, shown)
	}
	return out, nil
}

func (s *BackendService) show(ctx context.Context, b *Backend) (lakegate.Backend, error) {
	v := b.Settings
	shown := lakegate.Backend{
		Name: b.Name, Endpoint: v.Endpoint, Region: v.Region, Addressing: lakegate.BackendAddressingPATH, CaCertificates: optional(v.CACertificates),
		ClientCertificate: optional(v.ClientCertificate), Checksums: lakegate.BackendChecksumsBACKEND, MaxConnections: &v.MaxConnections, NewBuckets: v.NewBuckets,
		Accounts: v.Accounts, AccessKeyId: v.AccessKeyID, StsEndpoint: optional(v.STSEndpoint), Source: lakegate.BackendSourceAPI,
	}
	if v.VirtualHost {
		shown.Addressing = lakegate.BackendAddressingVIRTUALHOST
	}
	if v.VerifyHere {
		shown.Checksums = lakegate.BackendChecksumsGATE
	}
	flag := func(on bool) *bool {
		if !on {
			return nil
		}
		return &on
	}
	shown.InsecureSkipVerify, shown.NoTrailers, shown.HasClientKey, shown.Default = flag(v.InsecureSkipVerify), flag(v.NoTrailers), flag(b.secrets.ClientKey != ""), flag(b.Name == s.Registry.otherwise)
	if b.FromFile {
		shown.Source = lakegate.BackendSourceFILE
	} else {
		shown.CreatedAt, shown.UpdatedAt = &b.Created, &b.Updated
	}
	if h, ok := s.Registry.Health()[b.Name]; ok {
		shown.Up, shown.Cause = h.Up, optional(h.Cause)
		if !h.Since.IsZero() {
			since := h.Since.Truncate(time.Millisecond)
			shown.StateSince = &since
		}
	}
	err := s.Registry.db.View(ctx, func(q store.Querier) error {
		n, err := bucketsOn(ctx, q, b.Name)
		shown.BucketCount = int(n)
		return err
	})
	return shown, err
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// UpdateBackend changes what is named, for requests that come after it. New credentials are an access key and its secret
// together.
func (s *BackendService) UpdateBackend(ctx context.Context, in *lakegate.UpdateBackendInput) (*lakegate.UpdateBackendOutput, error) {
	if err := s.enter(ctx, "UpdateBackend"); err != nil {
		return nil, err
	}
	if s.Registry.backends.files[in.Name] != nil {
		return nil, lakegate.ConflictException("The backend is in the configuration file and is changed there.")
	}
	if (in.AccessKeyId != nil) != (in.SecretAccessKey != nil) {
		return nil, lakegate.ValidationException("AccessKeyId and SecretAccessKey are changed together.")
	}
	if in.SessionToken != nil && in.AccessKeyId == nil {
		return nil, lakegate.ValidationException("SessionToken is changed together with AccessKeyId and SecretAccessKey.")
	}
	var b *Backend
	err := s.Registry.db.Update(ctx, func(tx *store.Tx) (err error) {
		if b, err = readBackend(ctx, tx, s.Registry.db, in.Name); err != nil {
			return err
		}
		before := endpointOf(b.Settings.Endpoint)
		set(&b.Settings.Endpoint, in.Endpoint)
		if in.AccessKeyId != nil {
			b.Settings.AccessKeyID, b.secrets.SecretAccessKey, b.secrets.SessionToken = *in.AccessKeyId, *in.SecretAccessKey, ""
		}
		b.apply(settingsInput{
			region: in.Region, addressing: in.Addressing, ca: in.CaCertificates, certificate: in.ClientCertificate, insecure: in.InsecureSkipVerify, checksums: in.Checksums,
			noTrailers: in.NoTrailers, connections: in.MaxConnections, newBuckets: in.NewBuckets, accounts: in.Accounts, token: in.SessionToken, clientKey: in.ClientKey, sts: in.StsEndpoint,
		})
		b.Updated = stamp(s.Registry.db.Now())
		if err := b.check(); err != nil {
			return lakegate.ValidationException(err.Error())
		}
		if endpointOf(b.Settings.Endpoint) != before {
			if err := s.Registry.staysApart(ctx, tx, b); err != nil {
				return err
			}
		}
		return updateBackend(ctx, tx, s.Registry.db, b)
	})
	if err != nil {
		return nil, spellBackend(err)
	}
	shown, err := s.show(ctx, b)
	return &lakegate.UpdateBackendOutput{Backend: &shown}, err
}

// DeleteBackend forgets a backend that no bucket is on.
func (s *BackendService) DeleteBackend(ctx context.Context, in *lakegate.DeleteBackendInput) (*lakegate.DeleteBackendOutput, error) {
	if err := s.enter(ctx, "DeleteBackend"); err != nil {
		return nil, err
	}
	switch {
	case s.Registry.backends.files[in.Name] != nil:
		return nil, lakegate.ConflictException("The backend is in the configuration file and is removed there.")
	case in.Name == s.Registry.otherwise:
		return nil, lakegate.ConflictException("The backend is the default one of the configuration.")
	}
	err := s.Registry.db.Update(ctx, func(tx *store.Tx) error {
		n, err := bucketsOn(ctx, tx, in.Name)
		if err != nil {
			return err
		}
		if n > 0 {
			return lakegate.ConflictException(fmt.Sprintf("%d buckets are on the backend. Delete or detach them first; lakegate bucket list shows them.", n))
		}
		return deleteBackend(ctx, tx, in.Name)
	})
	if err != nil {
		return nil, spellBackend(err)
	}
	return &lakegate.DeleteBackendOutput{}, nil
}

// TestBackend asks the service for what this server needs of it.
func (s *BackendService) TestBackend(ctx context.Context, in *lakegate.TestBackendInput) (*lakegate.TestBackendOutput, error) {
	if err := s.enter(ctx, "TestBackend"); err != nil {
		return nil, err
	}
	o, ok := s.Registry.backends.get(in.Name)
	if !ok {
		return nil, spellBackend(errNoBackend)
	}
	if o.endpoint == nil {
		return &lakegate.TestBackendOutput{Problem: &o.why, Steps: []lakegate.Step{}}, nil
	}
	var at *remote.Place
	if in.RemoteBucket != nil {
		at = &remote.Place{Bucket: *in.RemoteBucket}
		set(&at.Prefix, in.RemotePrefix)
		if err := at.Check(); err != nil {
			return nil, lakegate.ValidationException(err.Error())
		}
	} else if sample, err := o.placeOf("lakegate-test"); err == nil && sample.Prefix != "" {
		at = &sample // all new buckets are in one there, which can be tried
	}
	report := o.endpoint.Probe(ctx, at)
	out := &lakegate.TestBackendOutput{Healthy: report.Problem == "", Problem: optional(report.Problem), Steps: []lakegate.Step{}}
	for _, x := range report.Steps {
		outcome := lakegate.StepOutcomePass
		switch {
		case !x.OK:
			outcome = lakegate.StepOutcomeFail
		case x.Note:
			outcome = lakegate.StepOutcomeInfo
		}
		out.Steps = append(out.Steps, lakegate.Step{Step: x.Name, Outcome: outcome, Detail: optional(x.Detail)})
	}
	return out, nil
}

// AttachBucket makes a bucket of an account of what is at a backend already.
func (s *BackendService) AttachBucket(ctx context.Context, in *lakegate.AttachBucketInput) (*lakegate.AttachBucketOutput, error) {
	if err := s.enter(ctx, "AttachBucket"); err != nil {
		return nil, err
	}
	account := caller.From(ctx).Account
	set(&account, in.AccountId)
	if !arn.IsAccountID(account) || !s.Accounts.IsActive(account) {
		return nil, lakegate.ValidationException("AccountId must be an active account of the organization.")
	}
	at := remote.Place{Bucket: in.RemoteBucket}
	set(&at.Prefix, in.RemotePrefix)
	if err := s.Registry.Attach(ctx, AttachInput{Name: in.BucketName, Account: account, Backend: in.BackendName, Place: at}); err != nil {
		return nil, spellBackend(err)
	}
	trail.From(ctx).Resource("AWS::S3::Bucket", arn.Bucket(in.BucketName), account)
	return &lakegate.AttachBucketOutput{}, nil
}

// DetachBucket forgets a bucket that was attached. Its objects stay where they are.
func (s *BackendService) DetachBucket(ctx context.Context, in *lakegate.DetachBucketInput) (*lakegate.DetachBucketOutput, error) {
	if err := s.enter(ctx, "DetachBucket"); err != nil {
		return nil, err
	}
	if b, ok := s.Registry.Lookup(in.BucketName); ok {
		trail.From(ctx).Resource("AWS::S3::Bucket", b.ARN(), b.Account)
	}
	if err := s.Registry.Detach(ctx, in.BucketName); err != nil {
		return nil, spellBackend(err)
	}
	return &lakegate.DetachBucketOutput{}, nil
}

// ListBucketPlaces tells where each bucket is.
func (s *BackendService) ListBucketPlaces(ctx context.Context, in *lakegate.ListBucketPlacesInput) (*lakegate.ListBucketPlacesOutput, error) {
	if err := s.enter(ctx, "ListBucketPlaces"); err != nil {
		return nil, err
	}
	limit, after, backend := 1000, "", ""
	set(&limit, in.MaxResults)
	set(&after, in.NextToken)
	set(&backend, in.BackendName)
	out := &lakegate.ListBucketPlacesOutput{Places: []lakegate.BucketPlace{}}
	page, more := s.Registry.places(backend, after, limit)
	for _, b := range page {
		p := lakegate.BucketPlace{BucketName: b.Name, AccountId: b.Account, BackendName: optional(b.Backend), RemoteBucket: optional(b.Place.Bucket), RemotePrefix: optional(b.Place.Prefix)}
		if b.Attached {
			p.Attached = &b.Attached
		}
		out.Places = append(out.Places, p)
	}
	if more {
		out.NextToken = &page[len(page)-1].Name
	}
	return out, nil
}

// spellBackend turns what went wrong into an error of these operations.
func spellBackend(err error) error {
	if e, ok := errors.AsType[*storage.Error](err); ok {
		why := "The backend answers " + e.Code + "."
		if e.Code == "NoSuchBucket" {
			why = "There is no such bucket at the backend."
		}
		return lakegate.ValidationException(why + " lakegate backend test says more.").Because(err)
	}
	if e, ok := errors.AsType[*wire.Error](err); ok {
		switch e.Code {
		case "BucketAlreadyExists":
			if errors.Is(err, errPlace) {
				return lakegate.ConflictException("Another bucket is at this place, around it or inside of it: each would be a way around the policy of the other.").Because(err)
			}
			return lakegate.ConflictException("The name of the bucket is in use.")
		case "OperationAborted":
			return lakegate.ConflictException("The bucket is being deleted.")
		case "InvalidBucketName", "InvalidArgument", "TooManyBuckets":
			return lakegate.ValidationException(e.Message)
		}
		return err
	}
	switch {
	case errors.Is(err, errNoBackend):
		return lakegate.ResourceNotFoundException("There is no such backend.")
	case errors.Is(err, errNotAttached):
		return lakegate.ConflictException("The bucket was created here and not attached. Delete it with S3's DeleteBucket.")
	case errors.Is(err, store.ErrNotFound):
		return lakegate.ResourceNotFoundException("There is no such backend or bucket.")
	}
	return err
}

var _ slog.LogValuer = secrets{}
