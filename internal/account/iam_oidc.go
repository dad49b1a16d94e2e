package account

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

// The quotas of OpenID Connect providers, AWS's.
const (
	maxOIDCProviders = 100
	maxOIDCClients   = 100
	maxThumbprints   = 5
)

const trailOIDC = "AWS::IAM::OIDCProvider"

func sortedByName(all []*OIDCProvider) []*OIDCProvider {
	slices.SortFunc(all, func(a, b *OIDCProvider) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// providerName holds the URL of a provider against what an issuer may be, and returns it without its scheme.
func (s *IAM) providerName(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "" || strings.ContainsAny(text, " *?\\\"'<>$"):
		return "", iam.InvalidInputException("Invalid Open ID Connect Provider URL")
	case s.CheckIssuer != nil:
		if err := s.CheckIssuer(text); err != nil {
			return "", iam.InvalidInputException("Invalid Open ID Connect Provider URL: " + err.Error())
		}
	case u.Scheme != "https":
		return "", iam.InvalidInputException("The provider URL must begin with https://")
	}
	_, name, _ := strings.Cut(text, "://")
	return name, nil
}

func readClients(in []string) ([]string, error) {
	out := []string{}
	for _, c := range in {
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	if len(out) > maxOIDCClients {
		return nil, exceeded("ClientIdsPerOpenIdConnectProvider", maxOIDCClients)
	}
	return out, nil
}

// readThumbprints takes SHA-1 fingerprints, in hex.
func readThumbprints(in []string) ([]string, error) {
	if len(in) > maxThumbprints {
		return nil, iam.InvalidInputException(fmt.Sprintf("Thumbprint list must contain fewer than %d entries.", maxThumbprints+1))
	}
	out := []string{}
	for _, t := range in {
		if strings.Trim(strings.ToLower(t), "0123456789abcdef") != "" {
			return nil, iam.InvalidInputException("Invalid thumbprint: it must be 40 hexadecimal digits.")
		}
		out = append(out, strings.ToLower(t))
	}
	return out, nil
}

// CreateOpenIDConnectProvider lets the roles of the account trust an issuer's tokens. The issuer is not visited.
func (s *IAM) CreateOpenIDConnectProvider(ctx context.Context, in *iam.CreateOpenIDConnectProviderInput) (*iam.CreateOpenIDConnectProviderOutput, error) {
	_, shown, _ := strings.Cut(in.Url, "://")
	p := &OIDCProvider{Account: caller.From(ctx).Account, Name: shown, URL: in.Url, Created: s.Registry.now()}
	v := policy.Values{}
	setRequestTags(v, in.Tags)
	if err := s.permit(ctx, "CreateOpenIDConnectProvider", p.ARN(), v); err != nil {
		return nil, err
	}
	var err error
	if p.Name, err = s.providerName(in.Url); err != nil {
		return nil, err
	}
	if p.Clients, err = readClients(in.ClientIDList); err != nil {
		return nil, err
	}
	if p.Thumbprints, err = readThumbprints(in.ThumbprintList); err != nil {
		return nil, err
	}
	if p.Tags, err = readTags(in.Tags); err != nil {
		return nil, err
	}
	err = s.Registry.db.Update(ctx, func(tx *store.Tx) error {
		n, err := countOIDC(ctx, tx, p.Account)
		if err != nil {
			return err
		}
		if n >= maxOIDCProviders {
			return exceeded("OpenIdConnectProvidersPerAccount", maxOIDCProviders)
		}
		return insertOIDC(ctx, tx, p)
	})
	if errors.Is(err, store.ErrConflict) {
		return nil, iam.EntityAlreadyExistsException("Provider with url " + in.Url + " already exists.")
	}
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", p.ARN(), err)
	}
	trail.From(ctx).Resource(trailOIDC, p.ARN(), p.Account)
	return &iam.CreateOpenIDConnectProviderOutput{OpenIDConnectProviderArn: new(p.ARN()), Tags: someTags(p.Tags)}, nil
}

// findOIDC authorises an operation on a provider and finds it. Another account's is answered as one that does not exist.
func (s *IAM) findOIDC(ctx context.Context, operation, name string, v policy.Values) (*OIDCProvider, error) {
	account := caller.From(ctx).Account
	a, err := arn.Parse(name)
	id, isProvider := strings.CutPrefix(a.Resource, oidcResource)
	owner := a.Account
	if err != nil || a.Service != "iam" || !isProvider {
		owner, id = account, ""
	}
	p, ok := s.Registry.oidc.Get(oidcKey(account, id))
	ok = ok && owner == account && p.ARN() == name
	keys := policy.Values{}
	if ok {
		setResourceTags(keys, p.Tags)
	}
	for k, values := range v {
		keys.Set(k, values...)
	}
	if err := s.permitOf(ctx, operation, name, owner, keys); err != nil {
		return nil, err
	}
	trail.From(ctx).Resource(trailOIDC, name, account)
	if !ok {
		return nil, noProvider(name)
	}
	return p, nil
}

func noProvider(name string) error {
	return iam.NoSuchEntityException("OpenIDConnect Provider not found for arn " + name)
}

// changeOIDC runs do on a provider as it is inside a transaction, and writes what do made of it.
func (s *IAM) changeOIDC(ctx context.Context, p *OIDCProvider, do func(now *OIDCProvider) error) error {
	err := s.Registry.db.Update(ctx, func(tx *store.Tx) error {
		now, err := readOIDC(ctx, tx, oidcKey(p.Account, p.Name))
		if errors.Is(err, store.ErrNotFound) {
			return noProvider(p.ARN())
		}
		if err != nil {
			return err
		}
		if err := do(now); err != nil {
			return err
		}
		return updateOIDC(ctx, tx, now)
	})
	if err != nil {
		return fmt.Errorf("change %s: %w", p.ARN(), err)
	}
	return nil
}

// GetOpenIDConnectProvider shows a provider. Its URL comes without a scheme, as at AWS.
func (s *IAM) GetOpenIDConnectProvider(ctx context.Context, in *iam.GetOpenIDConnectProviderInput) (*iam.GetOpenIDConnectProviderOutput, error) {
	p, err := s.findOIDC(ctx, "GetOpenIDConnectProvider", in.OpenIDConnectProviderArn, nil)
	if err != nil {
		return nil, err
	}
	return &iam.GetOpenIDConnectProviderOutput{
		Url: &p.Name, ClientIDList: p.Clients, ThumbprintList: p.Thumbprints, CreateDate: &p.Created, Tags: someTags(p.Tags),
	}, nil
}

// ListOpenIDConnectProviders lists the providers of the account.
func (s *IAM) ListOpenIDConnectProviders(ctx context.Context, _ *iam.ListOpenIDConnectProvidersInput) (*iam.ListOpenIDConnectProvidersOutput, error) {
	account := caller.From(ctx).Account
	if err := s.permit(ctx, "ListOpenIDConnectProviders", oidcARN(account, "*"), nil); err != nil {
		return nil, err
	}
	out := &iam.ListOpenIDConnectProvidersOutput{OpenIDConnectProviderList: []iam.OpenIDConnectProviderListEntry{}}
	for _, p := range s.Registry.oidcOf(account) {
		out.OpenIDConnectProviderList = append(out.OpenIDConnectProviderList, iam.OpenIDConnectProviderListEntry{Arn: new(p.ARN())})
	}
	return out, nil
}

// DeleteOpenIDConnectProvider ends the trust in an issuer: no role is assumed with its tokens any more. It is no error when
// there is none.
func (s *IAM) DeleteOpenIDConnectProvider(ctx context.Context, in *iam.DeleteOpenIDConnectProviderInput) (*iam.DeleteOpenIDConnectProviderOutput, error) {
	p, err := s.findOIDC(ctx, "DeleteOpenIDConnectProvider", in.OpenIDConnectProviderArn, nil)
	if err != nil {
		return nil, err
	}
	err = s.Registry.db.Update(ctx, func(tx *store.Tx) error { return deleteOIDC(ctx, tx, p) })
	if errors.Is(err, store.ErrNotFound) {
		return nil, noProvider(p.ARN())
	}
	if err != nil {
		return nil, fmt.Errorf("delete %s: %w", p.ARN(), err)
	}
	return &iam.DeleteOpenIDConnectProviderOutput{}, nil
}

// UpdateOpenIDConnectProviderThumbprint replaces the thumbprints.
func (s *IAM) UpdateOpenIDConnectProviderThumbprint(ctx context.Context, in *iam.UpdateOpenIDConnectProviderThumbprintInput) (*iam.UpdateOpenIDConnectProviderThumbprintOutput, error) {
	p, err := s.findOIDC(ctx, "UpdateOpenIDConnectProviderThumbprint", in.OpenIDConnectProviderArn, nil)
	if err != nil {
		return nil, err
	}
	list, err := readThumbprints(in.ThumbprintList)
	if err != nil {
		return nil, err
	}
	return &iam.UpdateOpenIDConnectProviderThumbprintOutput{}, s.changeOIDC(ctx, p, func(now *OIDCProvider) error {
		now.Thumbprints = list
		return nil
	})
}

// AddClientIDToOpenIDConnectProvider adds an audience; one that is there already stays.
func (s *IAM) AddClientIDToOpenIDConnectProvider(ctx context.Context, in *iam.AddClientIDToOpenIDConnectProviderInput) (*iam.AddClientIDToOpenIDConnectProviderOutput, error) {
	p, err := s.findOIDC(ctx, "AddClientIDToOpenIDConnectProvider", in.OpenIDConnectProviderArn, nil)
	if err != nil {
		return nil, err
	}
	return &iam.AddClientIDToOpenIDConnectProviderOutput{}, s.changeOIDC(ctx, p, func(now *OIDCProvider) (err error) {
		now.Clients, err = readClients(append(now.Clients, in.ClientID))
		return err
	})
}

// RemoveClientIDFromOpenIDConnectProvider removes an audience; it is no error when it is not there.
func (s *IAM) RemoveClientIDFromOpenIDConnectProvider(ctx context.Context, in *iam.RemoveClientIDFromOpenIDConnectProviderInput) (*iam.RemoveClientIDFromOpenIDConnectProviderOutput, error) {
	p, err := s.findOIDC(ctx, "RemoveClientIDFromOpenIDConnectProvider", in.OpenIDConnectProviderArn, nil)
	if err != nil {
		return nil, err
	}
	return &iam.RemoveClientIDFromOpenIDConnectProviderOutput{}, s.changeOIDC(ctx, p, func(now *OIDCProvider) error {
		now.Clients = slices.DeleteFunc(now.Clients, func(c string) bool { return c == in.ClientID })
		return nil
	})
}

// TagOpenIDConnectProvider puts tags on a provider.
func (s *IAM) TagOpenIDConnectProvider(ctx context.Context, in *iam.TagOpenIDConnectProviderInput) (*iam.TagOpenIDConnectProviderOutput, error) {
	v := policy.Values{}
	setRequestTags(v, in.Tags)
	p, err := s.findOIDC(ctx, "TagOpenIDConnectProvider", in.OpenIDConnectProviderArn, v)
	if err != nil {
		return nil, err
	}
	tags, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	return &iam.TagOpenIDConnectProviderOutput{}, s.changeOIDC(ctx, p, func(now *OIDCProvider) error {
		now.Tags = mergeTags(now.Tags, tags)
		return checkTagCount(now.Tags)
	})
}

// UntagOpenIDConnectProvider removes tags from a provider.
func (s *IAM) UntagOpenIDConnectProvider(ctx context.Context, in *iam.UntagOpenIDConnectProviderInput) (*iam.UntagOpenIDConnectProviderOutput, error) {
	v := policy.Values{}
	setRequestTags(v, nil, in.TagKeys...)
	p, err := s.findOIDC(ctx, "UntagOpenIDConnectProvider", in.OpenIDConnectProviderArn, v)
	if err != nil {
		return nil, err
	}
	return &iam.UntagOpenIDConnectProviderOutput{}, s.changeOIDC(ctx, p, func(now *OIDCProvider) error {
		now.Tags = removeTags(now.Tags, in.TagKeys)
		return nil
	})
}

// ListOpenIDConnectProviderTags lists the tags of a provider.
func (s *IAM) ListOpenIDConnectProviderTags(ctx context.Context, in *iam.ListOpenIDConnectProviderTagsInput) (*iam.ListOpenIDConnectProviderTagsOutput, error) {
	p, err := s.findOIDC(ctx, "ListOpenIDConnectProviderTags", in.OpenIDConnectProviderArn, nil)
	if err != nil {
		return nil, err
	}
	out := &iam.ListOpenIDConnectProviderTagsOutput{}
	out.Tags, out.IsTruncated, out.Marker, err = pageOfTags(p.Tags, in.Marker, in.MaxItems)
	return out, err
}
