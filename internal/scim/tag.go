package scim

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	"github.com/lakegate/lakegate/internal/directory"
)

// Entity tags (RFC 7644 §3.14). They are weak: what is equal by its tag has the same attributes, but the display names
// of others in it may have changed.

// userTag is the tag of a user: its version, and the groups that it is shown with, which change without it.
func (req *request) userTag(u *directory.User) string {
	version := strconv.FormatInt(u.Stamps.Version, 10)
	if ids := req.h.directory.GroupsOf(u.StoreID, u.ID); len(ids) > 0 {
		sum := sha256.Sum256([]byte(strings.Join(ids, "\n")))
		version += "-" + hex.EncodeToString(sum[:6])
	}
	return `W/"` + version + `"`
}

// groupTag is the tag of a group, whose version counts the changes of its members.
func groupTag(g *directory.Group) string {
	return `W/"` + strconv.FormatInt(g.Stamps.Version, 10) + `"`
}

// precondition holds a request's If-Match and If-None-Match against the tag of the resource, in the transaction that
// changes it. Of a request that reads, what matches is not sent again (unchanged).
func (req *request) precondition(tag string) (unchanged bool, err error) {
	if list := req.Header.Values("If-Match"); len(list) > 0 && !lists(list, tag) {
		return false, &fault{status: http.StatusPreconditionFailed, detail: "The resource has changed: its version is " + tag + "."}
	}
	list := req.Header.Values("If-None-Match")
	switch {
	case len(list) == 0 || !lists(list, tag):
		return false, nil
	case req.Method == http.MethodGet:
		return true, nil
	}
	return false, &fault{status: http.StatusPreconditionFailed, detail: "The resource has the version " + tag + "."}
}

// lists reports whether a header names a tag, or any. Whether a tag is weak or strong makes no difference: SCIM compares
// weak ones also in If-Match. Our tags have no comma in them.
func lists(headers []string, tag string) bool {
	tag = strings.TrimPrefix(tag, "W/")
	for _, h := range headers {
		for t := range strings.SplitSeq(h, ",") {
			if t = strings.TrimPrefix(strings.TrimSpace(t), "W/"); t == "*" || t == tag {
				return true
			}
		}
	}
	return false
}
