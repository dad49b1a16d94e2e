package demo

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	idtypes "github.com/aws/aws-sdk-go-v2/service/identitystore/types"
)

// Config is what the story is told with.
type Config struct {
	// Endpoint is the URL of the API door; Region the server's.
	Endpoint, Region string
	// Center and Data are the administrators' keys of the two accounts.
	Center, Data Key
	// InstanceARN and StoreID are the identity center instance and its identity store.
	InstanceARN, StoreID string
	// Issuer is the development identity provider, Audience the data application's client id there.
	Issuer, Audience string
	Now              time.Time
}

// Result is what the data application has to be told.
type Result struct {
	ApplicationARN string `json:"applicationArn"`
	// ApplicationKey is the long-term key that the application's machine has; ApplicationRoleARN the role that it takes on.
	ApplicationKey     Key    `json:"-"`
	ApplicationRoleARN string `json:"applicationRoleArn"`
	// IdentityRoleARN is the role that is assumed with the signed-in person's identity context.
	IdentityRoleARN string   `json:"identityRoleArn"`
	DataLocation    string   `json:"dataLocation"`
	OtherLocations  []string `json:"otherLocations"`
}

// The names of the story.
const (
	Bucket          = "sales-data-111111111111"
	ApplicationName = "SalesDashboard"
	redGroup        = "Red Project Group"
	blueGroup       = "Blue Project Group"
	adminGroup      = "Data Administrators"
)

type seeder struct {
	Config
	center, data *account

	issuerARN      string
	applicationARN string
	result         Result
}

// Seed sets everything up through the public APIs. The people are in the directory already: the identity provider put
// them there by SCIM.
func Seed(ctx context.Context, cfg Config) (Result, error) {
	center, err := newAccount(CenterAccount, cfg.Endpoint, cfg.Region, cfg.Center)
	if err != nil {
		return Result{}, err
	}
	data, err := newAccount(DataAccount, cfg.Endpoint, cfg.Region, cfg.Data)
	if err != nil {
		return Result{}, err
	}
	s := &seeder{Config: cfg, center: center, data: data}
	s.result = Result{
		ApplicationRoleARN: s.roleARN(applicationRole), IdentityRoleARN: s.roleARN(identityRole),
		DataLocation: "s3://" + Bucket + "/red/", OtherLocations: []string{"s3://" + Bucket + "/blue/"},
	}
	err = run(ctx, []step{
		{"trust the identity provider", s.trustIssuer},
		{"register the application", s.registerApplication},
		{"make the application's roles", s.makeRoles},
		{"let the application exchange tokens", s.authenticateApplication},
		{"put the sales data into the bucket", s.putData},
		{"grant access", s.grantAccess},
		{"appoint administrators", s.appointAdministrators},
	})
	s.result.ApplicationARN = s.applicationARN
	return s.result, err
}

func (s *seeder) roleARN(name string) string { return "arn:aws:iam::" + DataAccount + ":role/" + name }

// groupID finds a group that the identity provider pushed.
func (s *seeder) groupID(ctx context.Context, name string) (string, error) {
	out, err := s.center.directory.GetGroupId(ctx, &identitystore.GetGroupIdInput{
		IdentityStoreId: &s.StoreID,
		AlternateIdentifier: &idtypes.AlternateIdentifierMemberUniqueAttribute{Value: idtypes.UniqueAttribute{
			AttributePath: aws.String("displayName"), AttributeValue: documentOf(name),
		}},
	})
	if err != nil {
		return "", fmt.Errorf("find group %s: %w", name, err)
	}
	return aws.ToString(out.GroupId), nil
}

// Profile is the AWS configuration file of the data application's machine: it holds a key of its own and takes on the
// application's role.
func (r Result) Profile(region string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# The machine of the data application. Keep it secret.\n[profile machine]\naws_access_key_id = %s\naws_secret_access_key = %s\n\n", r.ApplicationKey.ID, r.ApplicationKey.Secret)
	fmt.Fprintf(&b, "[profile dataapp]\nrole_arn = %s\nsource_profile = machine\nrole_session_name = dataapp\nregion = %s\n", r.ApplicationRoleARN, region)
	return b.String()
}

// Environment is what the data application is started with: nothing but public settings of the AWS SDK, of its OpenID
// Connect client and of its own.
func (r Result) Environment(cfg Config, listen, appURL, profilePath string) []string {
	door := cfg.Endpoint
	host := door
	if u, err := url.Parse(door); err == nil {
		host = u.Hostname()
	}
	return []string{
		"DATAAPP_LISTEN=" + listen,
		"DATAAPP_URL=" + appURL,
		"OIDC_ISSUER=" + cfg.Issuer,
		"OIDC_CLIENT_ID=" + cfg.Audience,
		"APPLICATION_ARN=" + r.ApplicationARN,
		"IDENTITY_ROLE_ARN=" + r.IdentityRoleARN,
		"ACCESS_GRANTS_ACCOUNT=" + DataAccount,
		"DATA_LOCATION=" + r.DataLocation,
		"OTHER_LOCATIONS=" + strings.Join(r.OtherLocations, ","),
		"AWS_PROFILE=dataapp",
		"AWS_CONFIG_FILE=" + profilePath,
		"AWS_SHARED_CREDENTIALS_FILE=" + profilePath + ".none",
		"AWS_REGION=" + cfg.Region,
		"AWS_ENDPOINT_URL=" + door,
		// The SDK for Go makes the client that takes on a profile's role_arn before it reads the endpoint of all services.
		"AWS_ENDPOINT_URL_STS=" + door,
		"AWS_ENDPOINT_URL_S3_CONTROL=" + controlName,
		"AWS_EC2_METADATA_DISABLED=true",
		"HTTP_PROXY=" + door,
		"NO_PROXY=127.0.0.1,localhost," + host,
	}
}
