package trail

import "github.com/lakegate/lakegate/internal/caller"

// Person names the person whom a request is about and who is not the one that makes it, such as that of a session which
// it asks for.
func (e *Entry) Person(p *caller.Identity) {
	if e == nil {
		return
	}
	if e.trail.names != nil {
		e.AddText(KeyPersonName, e.trail.names(p))
	}
	e.AddText(KeyPersonID, p.UserID)
	e.AddText(KeyIdentityStore, p.IdentityStoreARN)
	e.AddText(KeyApplication, p.ApplicationARN)
	e.AddText(KeyCredentialID, p.CredentialID)
}
