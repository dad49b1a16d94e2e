package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/api/cloudtrail"
	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/identitystore"
	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/api/organizations"
	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/api/sso"
	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/api/sts"
	"github.com/lakegate/lakegate/internal/authn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/bucket"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/console"
	"github.com/lakegate/lakegate/internal/delivery"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/explain"
	"github.com/lakegate/lakegate/internal/gateway"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/issuer"
	"github.com/lakegate/lakegate/internal/ldap"
	"github.com/lakegate/lakegate/internal/portal"
	"github.com/lakegate/lakegate/internal/request"
	"github.com/lakegate/lakegate/internal/session"
	"github.com/lakegate/lakegate/internal/signin"
	"github.com/lakegate/lakegate/internal/sigv4"
	"github.com/lakegate/lakegate/internal/sink"
	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/token"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/visit"
	"github.com/lakegate/lakegate/internal/wire"
)

// rooms is everything behind the doors.
type rooms struct {
	apiHandler, webHandler http.Handler

	log         *slog.Logger
	db          *store.DB
	accounts    *account.Registry
	directory   *directory.Directory
	center      *center.Center
	ring        *session.Ring
	revocations *session.Revocations
	storage     *storage.Embedded
	buckets     *bucket.Registry
	grants      *grants.Registry
	access      *grants.Service
	requests    *request.Service
	tokens      *token.Service
	signIn      *signin.Service
	trail       *trail.Trail
	deliverer   *delivery.Deliverer
	sinks       *sink.Sinks
	ldap        *ldap.Source
	ready       atomic.Bool
}

// strictGrants is the quota of grants that AWS gives an instance.
const strictGrants = 100_000

// grantQuotas are those of an access grants instance. Without a setting there is no bound for grants, except where it is to
// be as at AWS.
func (c *Config) grantQuotas() grants.Quotas {
	q := grants.Quotas{Grants: c.Quotas.AccessGrants, Locations: c.Quotas.AccessGrantsLocations}
	if q.Grants == 0 && c.Compat == Strict {
		q.Grants = strictGrants
	}
	return q
}

// openRooms opens every room on the database and binds the services.
func openRooms(ctx context.Context, cfg *Config, db *store.DB, log *slog.Logger) (r *rooms, err error) {
	r = &rooms{log: log, db: db}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
			r = nil
		}
	}()
	r.trail, err = trail.Open(ctx, trail.Config{
		DB: db, Dir: filepath.Join(cfg.Dir, "audit"), Required: cfg.Audit.Required,
		Retention: time.Duration(cfg.Audit.RetentionDays) * 24 * time.Hour, Log: log,
		Sync: trail.Sync(cfg.Audit.Sync), KeepLog: time.Duration(cfg.Audit.LogDays) * 24 * time.Hour, HoldLog: cfg.Audit.HoldBytes,
	})
	if err != nil {
		return r, err
	}
	if r.sinks, err = r.openSinks(cfg, db); err != nil {
		return r, err
	}
	if r.accounts, err = account.Open(ctx, account.Config{DB: db, Log: log, OnAccountCreated: func(ctx context.Context, _ account.Profile) {
		if err := r.writeCredentials(ctx, cfg.Dir); err != nil {
			log.ErrorContext(ctx, "cannot write the credentials file", slog.Any("error", err))
		}
	}}); err != nil {
		return r, err
	}
	if r.directory, err = directory.Open(ctx, db); err != nil {
		return r, err
	}
	q := cfg.Quotas
	r.directory.Flat = cfg.Groups.Flat
	r.directory.Quotas = directory.Quotas{
		Users: q.Users, Groups: q.Groups, GroupsPerUser: q.GroupsPerUser, NestingDepth: cfg.Groups.Depth, GroupsAbove: cfg.Groups.Above,
	}
	if r.center, err = center.Open(ctx, center.Config{DB: db, Directory: r.directory, Roles: r.accounts, Region: cfg.Region, Quotas: center.Quotas{
		Issuers: q.Issuers, Applications: q.Applications, Scopes: q.ScopesPerApplication, Groups: q.GroupsPerApplication,
		PermissionSets: q.PermissionSets, Policies: q.PoliciesPerPermissionSet,
	}}); err != nil {
		return r, err
	}
	if r.ring, err = session.OpenRing(ctx, db); err != nil {
		return r, err
	}
	if r.revocations, err = session.OpenRevocations(ctx, db); err != nil {
		return r, err
	}
	var options []storage.Option
	if cfg.Storage.Sync == SyncNever {
		options = append(options, storage.Unforced)
	}
	if r.storage, err = storage.OpenEmbedded(ctx, filepath.Join(cfg.Dir, "storage"), log, options...); err != nil {
		return r, err
	}
	backends, err := cfg.backends()
	if err != nil {
		return r, err
	}
	if r.buckets, err = bucket.Open(ctx, bucket.Config{
		DB: db, Storage: r.storage, Principals: r.accounts, Region: cfg.Region, Backends: backends, DefaultBackend: cfg.DefaultBackend, Log: log,
	}); err != nil {
		return r, err
	}
	if r.grants, err = grants.Open(ctx, db, cfg.Region); err != nil {
		return r, err
	}
	if err := r.bootstrap(ctx, cfg); err != nil {
		return r, err
	}
	if err := r.openLDAP(ctx, cfg, db); err != nil {
		return r, err
	}
	return r, r.bind(ctx, cfg, db)
}

// bootstrap makes the organization, its management account and its identity center at the first start, and writes the
// administrators' keys.
func (r *rooms) bootstrap(ctx context.Context, cfg *Config) error {
	if _, err := r.accounts.Bootstrap(ctx, cfg.ManagementAccount); err != nil {
		return err
	}
	organization, _ := r.accounts.Organization()
	if _, err := r.center.Bootstrap(ctx, organization.Management); err != nil {
		return err
	}
	return r.writeCredentials(ctx, cfg.Dir)
}

func (r *rooms) writeCredentials(ctx context.Context, dir string) error {
	all, err := r.accounts.Profiles(ctx)
	if err != nil {
		return err
	}
	profiles := make([]Profile, len(all))
	for i, p := range all {
		profiles[i] = Profile{Account: p.Account, AccessKeyID: p.AccessKeyID, SecretAccessKey: p.SecretAccessKey, Management: p.Management}
	}
	return WriteCredentials(dir, profiles)
}

// bind makes the services and the handlers of both doors.
func (r *rooms) bind(ctx context.Context, cfg *Config, db *store.DB) error {
	authorizer := &authz.Authorizer{Policies: r.accounts, Tags: r.accounts, Organizations: r.accounts, Revision: db.Revision}
	access := &grants.Service{
		Registry: r.grants, Directory: people{r.directory}, People: r, Center: centers{r.center}, Accounts: principals{r.accounts}, Buckets: r.buckets,
		Vault: vault{r.ring}, Vendor: r.buckets, Authorizer: authorizer, Region: cfg.Region, Strict: cfg.Compat == Strict, Now: db.Now,
		Retention: time.Duration(cfg.Grants.RetentionDays) * 24 * time.Hour, Trail: r.trail,
	}
	r.access = access
	if cfg.Compat != Strict {
		authorizer.Messages = r.ring
	}
	access.UntilExpiry = cfg.Revocation == AtExpiry
	access.Quotas = cfg.grantQuotas()
	signing, err := token.OpenKeyring(ctx, db, cfg.Tokens.Algorithm)
	if err != nil {
		return err
	}
	signing.Rotation = time.Duration(cfg.Tokens.RotationDays) * 24 * time.Hour
	visitor := visit.New(visit.Config{Development: cfg.Development, AllowPrivate: cfg.Issuers.AllowPrivate})
	issuers, algorithms := issuer.NewKeys(visitor, db.Now), issuer.Extended
	if cfg.Compat == Strict {
		algorithms = issuer.Strict
	}
	r.tokens, err = token.Open(ctx, token.Config{
		DB: db, Center: r.center, Directory: r.directory, Contexts: r.ring, Revocations: r.revocations, Authorizer: authorizer, Keys: signing, WebURL: cfg.WebURL,
		Strict: cfg.Compat == Strict, Issuers: issuers,
	})
	if err != nil {
		return err
	}
	door := &portal.Service{
		Tokens: r.tokens, Center: r.center, Directory: r.directory, Accounts: r.accounts, Vault: r.ring, Strict: cfg.Compat == Strict, Now: db.Now,
	}
	authorizer.Limits = &limits{rooms: r, grants: access, portal: door, untilExpiry: cfg.Revocation == AtExpiry}
	origin, err := newOrigin(cfg.Region, cfg.TrustedProxies, db.Now)
	if err != nil {
		return err
	}
	r.signIn, err = signin.New(ctx, signin.Config{
		DB: db, Center: r.center, Directory: r.directory, Tokens: r.tokens, Revocations: r.revocations, Authorizer: authorizer, Trail: r.trail, Origin: origin.of,
		WebURL: cfg.WebURL, APIURL: cfg.APIURL, Region: cfg.Region, Log: r.log,
		Visitor: visitor,
	})
	if err != nil {
		return err
	}
	tokens := directory.TokenService{Directory: r.directory, Accounts: r.accounts, Authorizer: authorizer, WebURL: cfg.WebURL}
	if r.requests, err = r.openRequests(cfg, db, access, authorizer); err != nil {
		return err
	}
	administration := &center.Service{Center: r.center, Accounts: r.accounts, Authorizer: authorizer}
	doctor := explain.Doctor{
		Center: r.center, Administration: administration, Tokens: r.tokens, People: r.directory, Roles: principals{r.accounts},
		Grants: examinedGrants{r.grants, access}, Accounts: r.accounts, Authorizer: authorizer, Now: db.Now,
	}
	asked := &explain.Questions{
		Doctor: &doctor, Holders: examinedGrants{r.grants, access}, Everybody: r.directory, Principals: r.accounts, Buckets: r.buckets, Events: r.trail.Log(), Nodes: r.trail, Region: cfg.Region,
	}
	r.deliverer = r.openDelivery(cfg, db, authorizer)
	services := &services{
		iam:           &account.IAM{Registry: r.accounts, Authorizer: authorizer, CheckIssuer: visitor.CheckURL},
		organizations: &account.Organizations{Registry: r.accounts, Authorizer: authorizer},
		identitystore: &directory.Service{Directory: r.directory, Accounts: r.accounts, Authorizer: authorizer},
		cloudtrail:    &cloudTrail{trail.NewService(r.trail, trailAuthorizer{authorizer}), &delivery.Service{Deliverer: r.deliverer, Authorizer: authorizer}},
		lakegate: &ownService{
			TokenService:      tokens,
			SyncService:       ldap.SyncService{Source: r.ldap, Stores: &tokens},
			RevocationService: session.RevocationService{Revocations: r.revocations, Accounts: r.accounts, Authorizer: authorizer},
			Service:           explain.Service{Trail: r.trail, Accounts: r.accounts, Authorizer: authorizer},
			Doctor:            doctor,
			questions:         asked,
			BackendService:    bucket.BackendService{Registry: r.buckets, Accounts: knownAccounts{r.accounts}, Authorizer: authorizer},
			requests:          r.requests,
			imports:           &grants.ImportService{Service: access, Finder: finder{r.directory}},
			KeyService:        token.KeyService{Center: r.center, Keys: signing, Authorizer: authorizer},
			signIn:            r.signIn,
			auditFollowers:    &sink.Service{Audit: r.trail.Log(), Sinks: r.sinks, Accounts: knownAccounts{r.accounts}, Authorizer: authorizer},
		},
		s3control: access,
		sso:       door,
		ssoadmin:  administration,
		ssooidc:   &oidcService{tokenExchange: r.tokens, signIn: r.signIn},
		sts:       &session.Service{Ring: r.ring, Revocations: r.revocations, Accounts: principals{r.accounts}, People: r, Authorizer: authorizer, Now: db.Now, Issuers: issuers, Algorithms: algorithms},
	}
	authenticator := &authn.Authenticator{
		Keys: keys{r.accounts}, Sessions: session.NewCache(r.ring), Region: cfg.Region, Now: db.Now, Cache: &sigv4.KeyCache{},
		Used: func(accessKeyID, service string) {
			r.accounts.NoteUse(accessKeyID, account.Use{At: db.Now(), Service: service, Region: cfg.Region})
		},
	}
	meter := newMeter()
	meter.follow("lakegate_audit_failures_total", "Records that the audit log did not take.", func() float64 { return float64(r.trail.Failures()) })
	meter.show("lakegate_audit_blocked", "1 while the audit log takes no records; where records are required, requests are refused.", func() float64 { return oneIf(r.trail.Log().Broken()) })
	meter.show("lakegate_audit_tampered", "1 when the start found that the audit log had been altered or cut off.", func() float64 { return oneIf(r.trail.Tampered()) })
	meter.follow("lakegate_audit_dropped_total", "Records that LookupEvents lacks, because they came faster than the database took them.", func() float64 { return float64(r.trail.Dropped()) })
	meter.watchFollowers(r.trail.Log())
	meter.show("lakegate_node_lag_seconds", "For how long nothing has proved that this node knows every change of the others.", func() float64 { return db.Lag().Seconds() })
	meter.show("lakegate_node_revision", "The newest change that this node knows.", func() float64 { return float64(db.Revision()) })
	meter.watchSinks(r.sinks)
	meter.follow("lakegate_audit_trails_damaged_total", "Places of the audit log that somebody has altered and of which trails were told since the start.", func() float64 { return float64(r.deliverer.Damaged()) })
	if r.ldap != nil {
		meter.followLDAP(r.ldap)
	}
	meter.followBackends(r.buckets)
	r.trail.NamePeople(r.nameOf)
	data := &gateway.Gateway{
		Storage: r.buckets.Router(r.storage), Buckets: r.buckets, Authenticator: authenticator, Authorizer: authorizer, Trail: r.trail, Fresh: db.Fresh, People: people{r.directory}, Limiter: gateway.NewLimiter(gateway.Limits(cfg.Limits.Principal), gateway.Capacity{Requests: cfg.Limits.Requests, Connections: r.buckets.Connections}),
		Hosts: gateway.HostRules{Bases: cfg.BaseNames}, Region: cfg.Region, Log: r.log,
	}
	data.Denials = access
	if cfg.Compat != Strict {
		data.AccessGrants = access
	}
	mux, walk := services.mount(), recorded{trail: r.trail, fresh: db.Fresh, log: r.log}
	pages, err := console.New(console.Config{
		Operations: &within{recorded: walk, mux: mux}, SignIn: guests{r.signIn}, Portal: wayIn{door}, Lakes: r.grants, Accounts: r.accounts, Names: people{r.directory},
		Sealer: db, Trail: r.trail, Origin: origin.of, WebURL: cfg.WebURL, SignOut: signin.SignOutPath, Now: db.Now, Log: r.log,
	})
	if err != nil {
		return err
	}
	r.apiHandler = &apiDoor{
		recorded: walk, mux: mux, authn: authenticator, origin: origin, meter: meter, authorize: r.signIn.Authorize,
		slots: make(chan struct{}, cfg.Limits.Requests), arrivals: gateway.NewShares(max(cfg.Limits.Requests/4, 1), true), patience: cfg.transferTime(),
		pages: cfg.CORS.Origins, hosts: gateway.HostRules{Bases: cfg.BaseNames},
		s3: data.Serve,
	}
	r.webHandler = r.webDoor(cfg, db, meter, origin, pages)
	r.deliverer.Start()
	r.sinks.Start()
	return nil
}

// services are the implementations behind the contracts; a nil one has no operation implemented.
type services struct {
	iam           *account.IAM
	organizations *account.Organizations
	identitystore *directory.Service
	cloudtrail    *cloudTrail
	lakegate      *ownService
	s3control     *grants.Service
	sso           *portal.Service
	ssoadmin      *center.Service
	ssooidc       *oidcService
	sts           *session.Service
}

// ownService is the operations that AWS has no name for.
type ownService struct {
	directory.TokenService
	ldap.SyncService
	session.RevocationService
	explain.Service
	explain.Doctor
	questions
	token.KeyService
	bucket.BackendService
	requests
	imports
	signIn
	auditFollowers
}

// cloudTrail is cloudtrail: what happened, and its delivery into buckets.
type cloudTrail struct {
	events
	trails
}

// oidcService is sso-oidc, which two rooms have a part in: the exchange of tokens by applications, and signing in.
type oidcService struct {
	tokenExchange
	signIn
}

type (
	auditFollowers = *sink.Service
	events         = *trail.Service
	trails         = *delivery.Service
	tokenExchange  = *token.Service
	signIn         = *signin.Service
	requests       = *request.Service
	questions      = *explain.Questions
	imports        = *grants.ImportService
)

func (s *services) mount() *wire.Mux {
	m := &wire.Mux{}
	m.Mount(cloudtrail.Model, cloudtrail.Operations(s.cloudtrail))
	m.Mount(iam.Model, iam.Operations(s.iam))
	m.Mount(identitystore.Model, identitystore.Operations(s.identitystore))
	m.Mount(lakegate.Model, lakegate.Operations(s.lakegate))
	m.Mount(organizations.Model, organizations.Operations(s.organizations))
	m.Mount(s3control.Model, s3control.Operations(s.s3control))
	m.Mount(sso.Model, sso.Operations(s.sso))
	m.Mount(ssoadmin.Model, ssoadmin.Operations(s.ssoadmin))
	m.Mount(ssooidc.Model, ssooidc.Operations(s.ssooidc))
	m.Mount(sts.Model, sts.Operations(s.sts))
	return m
}

// tend does what has to be done from time to time.
func (r *rooms) tend(ctx context.Context) {
	if err := r.db.Trim(ctx); err != nil {
		r.log.ErrorContext(ctx, "cannot shorten the change feed", slog.Any("error", err))
	}
	if err := r.ring.Tend(ctx); err != nil {
		r.log.ErrorContext(ctx, "cannot tend the key ring", slog.Any("error", err))
	}
	if err := r.revocations.Tend(ctx); err != nil {
		r.log.ErrorContext(ctx, "cannot tend the revocations", slog.Any("error", err))
	}
	if err := r.tokens.Tend(ctx); err != nil {
		r.log.ErrorContext(ctx, "cannot tend the tokens", slog.Any("error", err))
	}
	if err := r.signIn.Tend(ctx); err != nil {
		r.log.ErrorContext(ctx, "cannot tend the sign-ins", slog.Any("error", err))
	}
	if err := r.access.Tend(ctx); err != nil {
		r.log.ErrorContext(ctx, "cannot delete access grants that ended", slog.Any("error", err))
	}
	if err := r.requests.Tend(ctx); err != nil {
		r.log.ErrorContext(ctx, "cannot let access requests lapse", slog.Any("error", err))
	}
	if err := r.accounts.SaveUses(ctx); err != nil {
		r.log.ErrorContext(ctx, "cannot save the last uses of access keys", slog.Any("error", err))
	}
	if err := r.grants.SaveUses(ctx); err != nil {
		r.log.ErrorContext(ctx, "cannot save the last uses of access grants", slog.Any("error", err))
	}
}

func (r *rooms) close() error {
	var errs []error
	if r.ldap != nil {
		errs = append(errs, r.ldap.Close())
	}
	r.deliverer.Close()
	errs = append(errs, r.sinks.Close())
	if r.requests != nil {
		r.requests.Hook.Close()
	}
	if r.accounts != nil {
		errs = append(errs, r.accounts.SaveUses(context.Background()))
	}
	if r.grants != nil {
		errs = append(errs, r.grants.SaveUses(context.Background()))
	}
	if r.buckets != nil {
		r.buckets.Close()
	}
	if r.storage != nil {
		errs = append(errs, r.storage.Close())
	}
	if r.trail != nil {
		errs = append(errs, r.trail.Close())
	}
	return errors.Join(errs...)
}

// nameOf is the user name of the person that an identity stands for, for the trail.
func (r *rooms) nameOf(id *caller.Identity) string {
	if id == nil {
		return ""
	}
	p, _ := r.directory.User(id.IdentityStoreID, id.UserID)
	return p.UserName
}

// PersonActive implements session.People: the person is in the directory and enabled, the application through which it
// came, if any, is still there, enabled and the person's to use, and nobody ended the sign-in.
func (r *rooms) PersonActive(_ context.Context, id *caller.Identity) error {
	if err := r.directory.PersonActive(id); err != nil {
		return err
	}
	if app := id.ApplicationARN; app != "" {
		switch {
		case !r.center.ApplicationEnabled(app):
			return errors.New("the application " + app + " is disabled or gone")
		case !r.center.Assigned(app, id.UserID, r.directory.GroupsOf(id.IdentityStoreID, id.UserID)):
			return errors.New("the person is not assigned to the application " + app + ", nor is a group of theirs")
		}
	}
	if r.tokens.SignInEnded(id) {
		return errors.New("the sign-in has ended")
	}
	return nil
}
