package center

import (
	"context"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/store"
)

// maxPage is the size of a page where the model has no smaller one.
const maxPage = 100

// checkAttribute refuses a mapping to what no person can be found by. It would fail every exchange, and nobody would
// know why.
func checkAttribute(path string) error {
	switch path {
	case directory.AttributeUserName, directory.AttributeEmail, directory.AttributeExternalID:
		return nil
	}
	return ssoadmin.ValidationException("IdentityStoreAttributePath must be userName, emails.value or externalId, not " + path)
}

// CreateTrustedTokenIssuer says whose tokens an instance accepts. Only who administers the instance may: an issuer speaks
// for everybody in the directory. Its URL is not visited now.
func (s *Service) CreateTrustedTokenIssuer(ctx context.Context, in *ssoadmin.CreateTrustedTokenIssuerInput) (*ssoadmin.CreateTrustedTokenIssuerOutput, error) {
	const op = "CreateTrustedTokenIssuer"
	tags, err := readTagList(in.Tags)
	if err != nil {
		return nil, err
	}
	i, known := s.Center.Instance(in.InstanceArn)
	q := question{op: op, resources: []string{in.InstanceArn}, request: tags}
	arn := ""
	if known {
		arn = issuerARN(i, uuid.NewString())
		q.resources, q.tags = append(q.resources, arn), i.Tags
	}
	if err := s.authorize(ctx, q); err != nil {
		return nil, err
	}
	if !known {
		return nil, denied(ctx, op, in.InstanceArn, "there is no such instance")
	}
	if err := s.within(ctx, op, in.InstanceArn, i, delegate); err != nil {
		return nil, err
	}
	c := in.TrustedTokenIssuerConfiguration.OidcJwtConfiguration
	if c == nil {
		return nil, ssoadmin.ValidationException("TrustedTokenIssuerConfiguration must have an OidcJwtConfiguration.")
	}
	if err := checkAttribute(c.IdentityStoreAttributePath); err != nil {
		return nil, err
	}
	t := &Issuer{
		ARN: arn, Instance: i.ARN, Name: in.Name, URL: c.IssuerUrl, Claim: c.ClaimAttributePath, Attribute: c.IdentityStoreAttributePath,
		Created: s.Center.db.Now(), Tags: tags,
	}
	fingerprint := withoutToken(in, &in.ClientToken)
	err = s.change(ctx, "instance "+i.ARN, func(tx *store.Tx) error {
		arn, err = s.once(ctx, tx, op, in.ClientToken, fingerprint, t.ARN, func() error {
			if n, err := countIssuers(ctx, tx, i.ARN); err != nil || n >= int64(s.Center.quotas.Issuers) {
				return orElse(err, quota("trusted token issuers", s.Center.quotas.Issuers))
			}
			return insertIssuer(ctx, tx, t)
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return &ssoadmin.CreateTrustedTokenIssuerOutput{TrustedTokenIssuerArn: &arn}, nil
}

// DescribeTrustedTokenIssuer describes an issuer to every account that sees the instance.
func (s *Service) DescribeTrustedTokenIssuer(ctx context.Context, in *ssoadmin.DescribeTrustedTokenIssuerInput) (*ssoadmin.DescribeTrustedTokenIssuerOutput, error) {
	t, err := s.issuer(ctx, "DescribeTrustedTokenIssuer", in.TrustedTokenIssuerArn, member)
	if err != nil {
		return nil, err
	}
	return &ssoadmin.DescribeTrustedTokenIssuerOutput{
		TrustedTokenIssuerArn: &t.ARN, Name: &t.Name, TrustedTokenIssuerType: new(ssoadmin.TrustedTokenIssuerTypeOIDCJWT),
		TrustedTokenIssuerConfiguration: &ssoadmin.TrustedTokenIssuerConfiguration{OidcJwtConfiguration: &ssoadmin.OidcJwtConfiguration{
			IssuerUrl: t.URL, ClaimAttributePath: t.Claim, IdentityStoreAttributePath: t.Attribute,
			JwksRetrievalOption: ssoadmin.JwksRetrievalOptionOPENIDDISCOVERY,
		}},
	}, nil
}

// ListTrustedTokenIssuers lists the issuers of an instance, without their configuration.
func (s *Service) ListTrustedTokenIssuers(ctx context.Context, in *ssoadmin.ListTrustedTokenIssuersInput) (*ssoadmin.ListTrustedTokenIssuersOutput, error) {
	i, err := s.instance(ctx, "ListTrustedTokenIssuers", in.InstanceArn, member)
	if err != nil {
		return nil, err
	}
	var all []*Issuer
	for _, t := range sorted(&s.Center.issuers, func(t *Issuer) string { return t.ARN }) {
		if t.Instance == i.ARN {
			all = append(all, t)
		}
	}
	shown, next, err := page("issuers "+i.ARN, all, func(t *Issuer) string { return t.ARN }, in.MaxResults, maxPage, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ssoadmin.ListTrustedTokenIssuersOutput{TrustedTokenIssuers: []ssoadmin.TrustedTokenIssuerMetadata{}, NextToken: next}
	for _, t := range shown {
		out.TrustedTokenIssuers = append(out.TrustedTokenIssuers, ssoadmin.TrustedTokenIssuerMetadata{
			TrustedTokenIssuerArn: &t.ARN, Name: &t.Name, TrustedTokenIssuerType: new(ssoadmin.TrustedTokenIssuerTypeOIDCJWT),
		})
	}
	return out, nil
}

// UpdateTrustedTokenIssuer changes the name or the mapping. The URL stays what it was.
func (s *Service) UpdateTrustedTokenIssuer(ctx context.Context, in *ssoadmin.UpdateTrustedTokenIssuerInput) (*ssoadmin.UpdateTrustedTokenIssuerOutput, error) {
	t, err := s.issuer(ctx, "UpdateTrustedTokenIssuer", in.TrustedTokenIssuerArn, delegate)
	if err != nil {
		return nil, err
	}
	var c ssoadmin.OidcJwtUpdateConfiguration
	if u := in.TrustedTokenIssuerConfiguration; u != nil && u.OidcJwtConfiguration != nil {
		c = *u.OidcJwtConfiguration
	}
	if c.IdentityStoreAttributePath != nil {
		if err := checkAttribute(*c.IdentityStoreAttributePath); err != nil {
			return nil, err
		}
	}
	err = s.change(ctx, "trusted token issuer with ARN "+t.ARN, func(tx *store.Tx) error {
		now, err := readIssuer(ctx, tx, t.ARN)
		if err != nil {
			return err
		}
		set(&now.Name, in.Name)
		set(&now.Claim, c.ClaimAttributePath)
		set(&now.Attribute, c.IdentityStoreAttributePath)
		return updateIssuer(ctx, tx, now)
	})
	return &ssoadmin.UpdateTrustedTokenIssuerOutput{}, err
}

// DeleteTrustedTokenIssuer ends the trust. Grants keep naming the issuer, which is nobody from now on.
func (s *Service) DeleteTrustedTokenIssuer(ctx context.Context, in *ssoadmin.DeleteTrustedTokenIssuerInput) (*ssoadmin.DeleteTrustedTokenIssuerOutput, error) {
	t, err := s.issuer(ctx, "DeleteTrustedTokenIssuer", in.TrustedTokenIssuerArn, delegate)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, "trusted token issuer with ARN "+t.ARN, func(tx *store.Tx) error { return deleteIssuer(ctx, tx, t.ARN) })
	return &ssoadmin.DeleteTrustedTokenIssuerOutput{}, err
}

// set puts a value in place when the request has one.
func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// orElse is the first error that there is.
func orElse(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}
