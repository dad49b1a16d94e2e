package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lakegate/lakegate/internal/api/cloudtrail"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/bucket"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/wire"
)

// Authorizer decides whether the caller may; authz stands behind it.
type Authorizer interface {
	Authorize(ctx context.Context, r authz.Request) error
}

// Service is the operations on trails of cloudtrail.
type Service struct {
	*Deliverer
	Authorizer Authorizer
}

// maxTrails is CloudTrail's quota for one Region of an account.
const maxTrails = 5

// nameOf takes the name of a trail from a name or an ARN. A trail of another account or Region is not found, whether it is
// there or not.
func (s *Service) nameOf(account, nameOrARN string) (string, *wire.Error) {
	a, err := arn.Parse(nameOrARN)
	if err != nil {
		if wrong := checkName(nameOrARN); wrong != nil {
			return "", wrong
		}
		return nameOrARN, nil
	}
	const kind = "trail/"
	if a.Service != "cloudtrail" || len(a.Resource) <= len(kind) || a.Resource[:len(kind)] != kind || checkName(a.Resource[len(kind):]) != nil {
		return "", cloudtrail.CloudTrailARNInvalidException(fmt.Sprintf("The ARN %.300q is not that of a trail.", nameOrARN))
	}
	if a.Account != account || a.Region != s.Region {
		return "", unknownTrail(nameOrARN, account)
	}
	return a.Resource[len(kind):], nil
}

func unknownTrail(name, account string) *wire.Error {
	return cloudtrail.TrailNotFoundException(fmt.Sprintf("Unknown trail: %.300s for the user: %s", name, account))
}

// find asks whether the caller may do something with a trail, and reads it.
func (s *Service) find(ctx context.Context, action, nameOrARN string) (*Trail, error) {
	account := caller.From(ctx).Account
	name, wrong := s.nameOf(account, nameOrARN)
	if wrong != nil {
		if err := s.authorize(ctx, action, "*"); err != nil {
			return nil, err
		}
		return nil, wrong
	}
	wanted := &Trail{Account: account, Name: name}
	if err := s.authorize(ctx, action, wanted.ARN(s.Region)); err != nil {
		return nil, err
	}
	var t *Trail
	err := s.DB.View(ctx, func(q store.Querier) (err error) { t, err = readTrail(ctx, q, account, name); return err })
	if errors.Is(err, store.ErrNotFound) {
		return nil, unknownTrail(wanted.ARN(s.Region), account)
	}
	return t, err
}

func (s *Service) authorize(ctx context.Context, action, resource string) error {
	return s.Authorizer.Authorize(ctx, authz.Request{Action: "cloudtrail:" + action, Resource: resource})
}

// change reads a trail again in a transaction, lets do change it, and writes it.
func (s *Service) change(ctx context.Context, t *Trail, do func(fresh *Trail) error) error {
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		fresh, err := readTrail(ctx, tx, t.Account, t.Name)
		if errors.Is(err, store.ErrNotFound) {
			return unknownTrail(t.ARN(s.Region), t.Account)
		}
		if err != nil {
			return err
		}
		if err := do(fresh); err != nil {
			return err
		}
		*t = *fresh
		return fresh.put(ctx, tx)
	})
}

// CreateTrail makes a trail that does not log yet, as CloudTrail does. The bucket must be there, and its policy must let
// CloudTrail write.
func (s *Service) CreateTrail(ctx context.Context, in *cloudtrail.CreateTrailInput) (*cloudtrail.CreateTrailOutput, error) {
	t := &Trail{Account: caller.From(ctx).Account, Name: in.Name, Bucket: in.S3BucketName, GlobalEvents: true, Tags: map[string]string{}}
	if err := s.authorize(ctx, "CreateTrail", t.ARN(s.Region)); err != nil {
		return nil, err
	}
	if wrong := checkName(in.Name); wrong != nil {
		return nil, wrong
	}
	for _, tag := range in.TagsList {
		t.Tags[tag.Key] = text(tag.Value)
	}
	if wrong := checkTags(in.TagsList, t.Tags); wrong != nil {
		return nil, wrong
	}
	err := s.apply(ctx, t, &cloudtrail.UpdateTrailInput{
		S3KeyPrefix: in.S3KeyPrefix, SnsTopicName: in.SnsTopicName, IncludeGlobalServiceEvents: in.IncludeGlobalServiceEvents, IsMultiRegionTrail: in.IsMultiRegionTrail,
		EnableLogFileValidation: in.EnableLogFileValidation, CloudWatchLogsLogGroupArn: in.CloudWatchLogsLogGroupArn, CloudWatchLogsRoleArn: in.CloudWatchLogsRoleArn,
		KmsKeyId: in.KmsKeyId, IsOrganizationTrail: in.IsOrganizationTrail,
	})
	if err != nil {
		return nil, err
	}
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		all, err := readTrails(ctx, tx, t.Account)
		if err != nil {
			return err
		}
		for _, other := range all {
			if other.Name == t.Name {
				return cloudtrail.TrailAlreadyExistsException(fmt.Sprintf("Trail %s already exists for customer: %s", t.Name, t.Account))
			}
		}
		if len(all) >= maxTrails {
			return cloudtrail.MaximumNumberOfTrailsExceededException(fmt.Sprintf("User: %s already has %d trails in %s.", t.Account, len(all), s.Region))
		}
		return t.put(ctx, tx)
	})
	if err != nil {
		return nil, err
	}
	return s.settings(t), nil
}

// UpdateTrail changes what it names.
func (s *Service) UpdateTrail(ctx context.Context, in *cloudtrail.UpdateTrailInput) (*cloudtrail.UpdateTrailOutput, error) {
	t, err := s.find(ctx, "UpdateTrail", in.Name)
	if err != nil {
		return nil, err
	}
	if err := s.change(ctx, t, func(fresh *Trail) error { return s.apply(ctx, fresh, in) }); err != nil {
		return nil, err
	}
	return new(cloudtrail.UpdateTrailOutput(*s.settings(t))), nil
}

// settings are what CreateTrail and UpdateTrail answer.
func (s *Service) settings(t *Trail) *cloudtrail.CreateTrailOutput {
	d := t.describe(s.Region)
	return &cloudtrail.CreateTrailOutput{
		Name: d.Name, S3BucketName: d.S3BucketName, S3KeyPrefix: d.S3KeyPrefix, IncludeGlobalServiceEvents: d.IncludeGlobalServiceEvents,
		IsMultiRegionTrail: d.IsMultiRegionTrail, TrailARN: d.TrailARN, LogFileValidationEnabled: d.LogFileValidationEnabled, IsOrganizationTrail: d.IsOrganizationTrail,
	}
}

// apply changes what a request names of a trail, or says what is wrong with it.
func (s *Service) apply(ctx context.Context, t *Trail, in *cloudtrail.UpdateTrailInput) error {
	switch {
	case text(in.SnsTopicName) != "":
		return unsupported("notifications by SNS")
	case text(in.CloudWatchLogsLogGroupArn) != "" || text(in.CloudWatchLogsRoleArn) != "":
		return unsupported("delivery to CloudWatch Logs")
	case text(in.KmsKeyId) != "":
		return unsupported("encryption with a KMS key")
	case in.IsOrganizationTrail != nil && *in.IsOrganizationTrail:
		return unsupported("a trail of the organization")
	}
	set(&t.Bucket, in.S3BucketName)
	set(&t.Prefix, in.S3KeyPrefix)
	if wrong := checkPlace(t.Bucket, t.Prefix); wrong != nil {
		return wrong
	}
	set(&t.GlobalEvents, in.IncludeGlobalServiceEvents)
	set(&t.MultiRegion, in.IsMultiRegionTrail)
	if t.MultiRegion && !t.GlobalEvents {
		return cloudtrail.InvalidParameterCombinationException("Multi-Region trail must include global service events.")
	}
	if v := in.EnableLogFileValidation; v != nil && *v != t.Validation {
		t.Validation, t.DigestFrom = *v, time.Time{}
		if t.Validation && t.Logging {
			t.DigestFrom = s.DB.Now().Truncate(time.Second)
		}
	}
	b, ok := s.Buckets.Lookup(t.Bucket)
	if !ok {
		return cloudtrail.S3BucketDoesNotExistException(fmt.Sprintf("S3 bucket %s does not exist!", t.Bucket))
	}
	return s.writable(ctx, t, b)
}

// writable reports whether CloudTrail may write what the trail asks for.
func (s *Service) writable(ctx context.Context, t *Trail, b *bucket.Bucket) error {
	now := s.DB.Now()
	for _, need := range []struct{ action, key string }{
		{"s3:GetBucketAcl", ""}, {"s3:PutObject", t.fileKey(s.Region, now, unique())}, {"s3:PutObject", t.digestKey(s.Region, now)},
	} {
		if err := s.permitted(ctx, t, b, need.action, need.key); err != nil {
			return cloudtrail.InsufficientS3BucketPolicyException("Incorrect S3 bucket policy is detected for bucket: " + b.Name).Because(err)
		}
	}
	return nil
}

func unsupported(what string) *wire.Error {
	return cloudtrail.UnsupportedOperationException("This server has no " + what + ".")
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// DeleteTrail ends a trail. What it delivered stays.
func (s *Service) DeleteTrail(ctx context.Context, in *cloudtrail.DeleteTrailInput) (*cloudtrail.DeleteTrailOutput, error) {
	t, err := s.find(ctx, "DeleteTrail", in.Name)
	if err != nil {
		return nil, err
	}
	err = s.DB.Update(ctx, func(tx *store.Tx) error { return t.remove(ctx, tx) })
	if errors.Is(err, store.ErrNotFound) {
		return nil, unknownTrail(t.ARN(s.Region), t.Account)
	}
	if err != nil {
		return nil, err
	}
	return &cloudtrail.DeleteTrailOutput{}, nil
}

// GetTrail describes one trail.
func (s *Service) GetTrail(ctx context.Context, in *cloudtrail.GetTrailInput) (*cloudtrail.GetTrailOutput, error) {
	t, err := s.find(ctx, "GetTrail", in.Name)
	if err != nil {
		return nil, err
	}
	return &cloudtrail.GetTrailOutput{Trail: t.describe(s.Region)}, nil
}

// DescribeTrails describes those that it names, or all. One that is not there is left out, as CloudTrail does.
func (s *Service) DescribeTrails(ctx context.Context, in *cloudtrail.DescribeTrailsInput) (*cloudtrail.DescribeTrailsOutput, error) {
	if err := s.authorize(ctx, "DescribeTrails", "*"); err != nil {
		return nil, err
	}
	account := caller.From(ctx).Account
	wanted := map[string]bool{}
	for _, n := range in.TrailNameList {
		name, wrong := s.nameOf(account, n)
		if wrong != nil && wrong.Code != "TrailNotFoundException" {
			return nil, wrong
		}
		wanted[name] = true
	}
	all, err := s.trails(ctx, account)
	if err != nil {
		return nil, err
	}
	out := &cloudtrail.DescribeTrailsOutput{TrailList: []cloudtrail.Trail{}}
	for _, t := range all {
		if len(wanted) == 0 || wanted[t.Name] {
			out.TrailList = append(out.TrailList, *t.describe(s.Region))
		}
	}
	return out, nil
}

// ListTrails names all trails of the account: there are so few that they are one page.
func (s *Service) ListTrails(ctx context.Context, in *cloudtrail.ListTrailsInput) (*cloudtrail.ListTrailsOutput, error) {
	if err := s.authorize(ctx, "ListTrails", "*"); err != nil {
		return nil, err
	}
	if in.NextToken != nil {
		return nil, cloudtrail.InvalidTokenException("The next token is not valid.")
	}
	all, err := s.trails(ctx, caller.From(ctx).Account)
	if err != nil {
		return nil, err
	}
	out := &cloudtrail.ListTrailsOutput{Trails: []cloudtrail.TrailInfo{}}
	for _, t := range all {
		out.Trails = append(out.Trails, cloudtrail.TrailInfo{TrailARN: new(t.ARN(s.Region)), Name: &t.Name, HomeRegion: &s.Region})
	}
	return out, nil
}

func (s *Service) trails(ctx context.Context, account string) (all []*Trail, err error) {
	err = s.DB.View(ctx, func(q store.Querier) (err error) { all, err = readTrails(ctx, q, account); return err })
	return all, err
}

// GetTrailStatus tells whether a trail logs, and how its deliveries fare.
func (s *Service) GetTrailStatus(ctx context.Context, in *cloudtrail.GetTrailStatusInput) (*cloudtrail.GetTrailStatusOutput, error) {
	t, err := s.find(ctx, "GetTrailStatus", in.Name)
	if err != nil {
		return nil, err
	}
	out := &cloudtrail.GetTrailStatusOutput{
		IsLogging: &t.Logging, LatestDeliveryTime: known(t.Delivered), LatestDigestDeliveryTime: known(t.Digested), StartLoggingTime: known(t.Started), StopLoggingTime: known(t.Stopped),
		LatestDeliveryAttemptTime: new(stamp(t.Attempted)), LatestDeliveryAttemptSucceeded: new(stamp(t.Delivered)), LatestNotificationAttemptTime: new(""),
		LatestNotificationAttemptSucceeded: new(""), TimeLoggingStarted: new(stamp(t.Started)), TimeLoggingStopped: new(stamp(t.Stopped)),
	}
	if t.Failure != "" {
		out.LatestDeliveryError = &t.Failure
	}
	if t.DigestFailure != "" {
		out.LatestDigestDeliveryError = &t.DigestFailure
	}
	return out, nil
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeFormat)
}

// StartLogging begins the delivery of what happens from now on. To start what has been started changes nothing.
func (s *Service) StartLogging(ctx context.Context, in *cloudtrail.StartLoggingInput) (*cloudtrail.StartLoggingOutput, error) {
	t, err := s.find(ctx, "StartLogging", in.Name)
	if err != nil {
		return nil, err
	}
	if _, standing, err := s.Audit.Place(t.place()); err == nil && !standing && !t.Logging {
		// From here on the log holds what the trail will want.
		if err := s.Audit.SetPlace(t.place(), s.Audit.Position()); err != nil {
			return nil, err
		}
	}
	now := s.DB.Now().Truncate(time.Second)
	err = s.change(ctx, t, func(fresh *Trail) error {
		if fresh.Logging {
			return nil
		}
		fresh.Logging, fresh.Started = true, now
		if fresh.Validation && fresh.DigestFrom.IsZero() {
			fresh.DigestFrom = now
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &cloudtrail.StartLoggingOutput{}, nil
}

// StopLogging ends the delivery of what happens from now on; what happened before is still delivered. The stop itself is an
// event of the account like all others.
func (s *Service) StopLogging(ctx context.Context, in *cloudtrail.StopLoggingInput) (*cloudtrail.StopLoggingOutput, error) {
	t, err := s.find(ctx, "StopLogging", in.Name)
	if err != nil {
		return nil, err
	}
	now := s.DB.Now()
	err = s.change(ctx, t, func(fresh *Trail) error {
		if fresh.Logging {
			fresh.Logging, fresh.Stopped = false, now
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &cloudtrail.StopLoggingOutput{}, nil
}
