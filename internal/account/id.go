package account

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"

	"github.com/lakegate/lakegate/internal/arn"
)

// The prefixes by which AWS tells ids apart.
var idPrefixes = map[Kind]string{UserKind: "AIDA", GroupKind: "AGPA", RoleKind: "AROA"}

const (
	policyPrefix = "ANPA"
	keyPrefix    = "AKIA"
)

// newID makes an id that was never used and never will be: 85 random bits, in AWS's length.
func newID(prefix string) string { return prefix + rand.Text()[:17] }

func newAccessKeyID() string { return keyPrefix + rand.Text()[:16] }

// newSecret makes a secret access key: 240 random bits in the 40 characters that clients expect.
func newSecret() string {
	var raw [30]byte
	_, _ = rand.Read(raw[:]) // never fails: see its documentation
	return base64.StdEncoding.EncodeToString(raw[:])
}

// newLowerID makes the random part of the ids of organizations.
func newLowerID(n int) string { return strings.ToLower(rand.Text())[:n] }

// newAccountID makes a random account id. The first digit is not zero, so that tools which take it for a number keep it.
func newAccountID() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(900_000_000_000))
	if err != nil {
		return "", fmt.Errorf("choose account id: %w", err)
	}
	return fmt.Sprintf("%012d", n.Int64()+100_000_000_000), nil
}

func policyARN(account, path, name string) string {
	return arn.New("iam", "", account, "policy"+path+name).String()
}

// awsPolicyID is the id of a policy of AWS, the same on every server.
func awsPolicyID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return policyPrefix + base32.StdEncoding.EncodeToString(sum[:])[:17]
}
