package center

// InstanceOf reads the instance's ARN out of that of an application, issuer or permission set.
func InstanceOf(resource string) (string, bool) { return instanceOf(resource) }

// ApplicationsOf lists the applications of an instance, in the order of their ARNs.
func (c *Center) ApplicationsOf(instance string) (out []*Application) {
	for _, a := range sorted(&c.applications, func(a *Application) string { return a.ARN }) {
		if a.Instance == instance {
			out = append(out, a)
		}
	}
	return out
}

// IssuersOf lists the trusted token issuers of an instance, in the order of their ARNs.
func (c *Center) IssuersOf(instance string) (out []*Issuer) {
	for _, i := range sorted(&c.issuers, func(i *Issuer) string { return i.ARN }) {
		if i.Instance == instance {
			out = append(out, i)
		}
	}
	return out
}

// Assignees counts the people and groups that are assigned to an application.
func (c *Center) Assignees(application string) (n int) {
	c.assignments.Read(func(map[string]Assignment) { n = len(c.assigned[application]) })
	return n
}
