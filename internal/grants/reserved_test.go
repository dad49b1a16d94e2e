package grants_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/store"
)

// A role of the identity center as the role of a location would hand its rights to everybody who has a grant there. Access
// grants may not take it on, and so it becomes none.
func TestAReservedRoleIsNoLocations(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		var role account.Role
		err := h.db.Update(t.Context(), func(tx *store.Tx) (err error) {
			role, err = h.accounts.PutReservedRole(t.Context(), tx, account.ReservedRole{
				Account: owner, Path: "/aws-reserved/sso.amazonaws.com/", Name: "AWSReservedSSO_All_0123456789abcdef", MaxSession: time.Hour,
				Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::` + owner +
					`:saml-provider/AWSSSO_0123456789abcdef_DO_NOT_DELETE"},"Action":["sts:AssumeRoleWithSAML","sts:TagSession"]}]}`,
				InlineName: "AwsSSOInlinePolicy", Inline: allow("s3:*", "*"),
			})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.CreateAccessGrantsLocation(h.admin(owner), &s3control.CreateAccessGrantsLocationInput{AccountId: owner, LocationScope: "s3://lake2/", IAMRoleArn: role.ARN})
		wantError(t, err, "InvalidIamRole", http.StatusBadRequest, "")
		id := h.location("s3://lake2/", "Location")
		_, err = h.UpdateAccessGrantsLocation(h.admin(owner), &s3control.UpdateAccessGrantsLocationInput{AccountId: owner, AccessGrantsLocationId: id, IAMRoleArn: role.ARN})
		wantError(t, err, "InvalidIamRole", http.StatusBadRequest, "")
	})
}
