package dataapp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	ssooidctypes "github.com/aws/aws-sdk-go-v2/service/ssooidc/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"
)

// answered is an error as the SDK wraps it.
func answered(status int, err error) error {
	return &smithy.OperationError{ServiceID: "S", OperationName: "O", Err: &awshttp.ResponseError{
		RequestID:     "r-1",
		ResponseError: &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: err},
	}}
}

func TestWhatPeopleAreTold(t *testing.T) {
	denied := &smithy.GenericAPIError{Code: "AccessDenied", Message: "You do not have READ permissions"}
	mateo := &person{Name: "Mateo"}
	red, err := ParseLocation("s3://red-bucket/red/")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		err  error
		want Problem
	}{
		{"no grant", at(stepGrant, answered(403, denied)), Problem{Status: 403, Refused: true, Code: "AccessDenied", Message: "You do not have READ permissions",
			RequestID: "r-1", Sentence: "No access grant gives Mateo read access to s3://red-bucket/red/*."}},
		{"storage refuses", at(stepList, answered(403, denied)), Problem{Status: 403, Refused: true, Code: "AccessDenied", Message: "You do not have READ permissions",
			RequestID: "r-1", Sentence: "Storage refused Mateo access to s3://red-bucket/red/*."}},
		{"the exchange is refused: OAuth's own description", at(stepExchange, answered(400, &ssooidctypes.InvalidGrantException{
			Error_: new("invalid_grant"), Error_description: new("the token has been used")})),
			Problem{Status: 403, Refused: true, Code: "InvalidGrantException", Message: "the token has been used", RequestID: "r-1",
				Sentence: "Your sign-in is valid, but it was not accepted for this application."}},
		{"no such instance", at(stepGrant, answered(404, &smithy.GenericAPIError{Code: "AccessGrantsInstanceNotExistsError", Message: "none"})),
			Problem{Status: 502, Code: "AccessGrantsInstanceNotExistsError", Message: "none", RequestID: "r-1",
				Sentence: "The question whether you may reach s3://red-bucket/red/* got no useful answer."}},
		{"nobody answers: the address stays in the log", at(stepAssume, errors.New("dial tcp 10.0.0.1:443: refused")),
			Problem{Status: 502, Sentence: "There was no answer when this program tried to open a session in your name."}},
		{"too slow", at(stepList, fmt.Errorf("x: %w", context.DeadlineExceeded)),
			Problem{Status: 504, Sentence: "The answer took too long. Try again in a moment."}},
		{"run out", at(stepSignIn, fmt.Errorf("x: %w", errSignInAgain)), Problem{Status: 401, SignIn: true, Sentence: "Your sign-in has run out."}},
		{"bad data", &dataError{"it is empty"}, Problem{Status: 502, Sentence: "It is empty."}},
		{"anything else", errors.New("a secret detail"), unexpected()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, present(tt.err, mateo, red, "READ")); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		})
	}
}
