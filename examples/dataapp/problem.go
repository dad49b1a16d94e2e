package dataapp

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	ssooidctypes "github.com/aws/aws-sdk-go-v2/service/ssooidc/types"
	"github.com/aws/smithy-go"
)

// A Problem is what a person is told when something is refused or does not work: one sentence, and for those who must find
// the cause, what the service answered. What is not for people stays in the log under the same request id.
type Problem struct {
	// Status is the HTTP status of the page.
	Status int
	// Refused tells a decision from a fault: somebody answered, and the answer was no.
	Refused bool
	// SignIn says that signing in again may help.
	SignIn   bool
	Sentence string
	// Code, Message and RequestID are the service's own words.
	Code, Message, RequestID string
}

// Title is the heading over the problem.
func (p Problem) Title() string {
	switch {
	case p.Refused:
		return "No access"
	case p.SignIn:
		return "Please sign in again"
	case p.Status == http.StatusNotFound:
		return "Nothing here"
	}
	return "That did not work"
}

func unexpected() Problem {
	return Problem{Status: http.StatusInternalServerError, Sentence: "Something went wrong here. Try again in a moment."}
}

// present turns an error of the chain into what the person is told.
func present(err error, p *person, l Location, permission string) Problem {
	if wrong, ok := errors.AsType[*dataError](err); ok {
		return Problem{Status: http.StatusBadGateway, Sentence: capital(wrong.what) + "."}
	}
	if errors.Is(err, errSignInAgain) {
		return Problem{Status: http.StatusUnauthorized, SignIn: true, Sentence: "Your sign-in has run out."}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Problem{Status: http.StatusGatewayTimeout, Sentence: "The answer took too long. Try again in a moment."}
	}
	failed, ok := errors.AsType[*stepError](err)
	if !ok {
		return unexpected()
	}
	told := Problem{Status: http.StatusBadGateway}
	api, answered := errors.AsType[smithy.APIError](err)
	if answered {
		told.Code, told.Message = shorten(api.ErrorCode(), 100), shorten(message(api), 500)
	}
	if answer, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		told.RequestID = shorten(answer.ServiceRequestID(), 100)
		told.Refused = slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden}, answer.HTTPStatusCode())
	}
	told.Refused = told.Refused || slices.Contains(refusals, told.Code)
	told.Sentence = sentence(failed.step, told.Refused, answered, p, l, permission)
	if told.Refused {
		told.Status = http.StatusForbidden
	}
	return told
}

// refusals are answers that are decisions, though their HTTP status is 400.
var refusals = []string{
	"AccessDenied", "AccessDeniedException", "InvalidGrantException", "UnauthorizedClientException", "InvalidScopeException",
}

func sentence(s step, refused, answered bool, p *person, l Location, permission string) string {
	if !answered {
		return "There was no answer when this program tried to " + strings.ReplaceAll(string(s), "the person's", "your") + "."
	}
	switch s {
	case stepExchange:
		if refused {
			return "Your sign-in is valid, but it was not accepted for this application."
		}
		return "Your sign-in could not be exchanged for an identity."
	case stepAssume:
		if refused {
			return "This application may not open a session in your name."
		}
		return "A session in your name could not be opened."
	case stepGrant:
		if refused {
			return "No access grant gives " + p.Name + " " + verb(permission) + " access to " + l.Target() + "."
		}
		return "The question whether you may reach " + l.Target() + " got no useful answer."
	case stepList, stepRead:
		if refused {
			return "Storage refused " + p.Name + " access to " + l.Target() + "."
		}
		return "Storage could not serve " + l.Target() + "."
	}
	return "Something went wrong. Try again in a moment."
}

func verb(permission string) string {
	switch permission {
	case "READ":
		return "read"
	case "WRITE":
		return "write"
	}
	return "read and write"
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// message is what the service said. The errors of the token exchange say it in a member of their own, as OAuth does
// (RFC 6749 §5.2), which the SDK's ErrorMessage leaves out.
func message(err smithy.APIError) string {
	var described *string
	switch e := err.(type) {
	case *ssooidctypes.AccessDeniedException:
		described = e.Error_description
	case *ssooidctypes.AuthorizationPendingException:
		described = e.Error_description
	case *ssooidctypes.ExpiredTokenException:
		described = e.Error_description
	case *ssooidctypes.InternalServerException:
		described = e.Error_description
	case *ssooidctypes.InvalidClientException:
		described = e.Error_description
	case *ssooidctypes.InvalidGrantException:
		described = e.Error_description
	case *ssooidctypes.InvalidRequestException:
		described = e.Error_description
	case *ssooidctypes.InvalidRequestRegionException:
		described = e.Error_description
	case *ssooidctypes.InvalidScopeException:
		described = e.Error_description
	case *ssooidctypes.SlowDownException:
		described = e.Error_description
	case *ssooidctypes.UnauthorizedClientException:
		described = e.Error_description
	case *ssooidctypes.UnsupportedGrantTypeException:
		described = e.Error_description
	}
	return cmp.Or(aws.ToString(described), err.ErrorMessage())
}
