package scimprobe

import "net/http"

// The messages and schemas.
const (
	urnUser       = "urn:ietf:params:scim:schemas:core:2.0:User"
	urnGroup      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	urnEnterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	urnPatch      = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)

func patch(operations ...object) object {
	return object{"schemas": []string{urnPatch}, "Operations": operations}
}

// change is a request that changes a resource.
type change struct {
	method string
	body   object
}

// legacy says that Entra speaks without the flag.
func (p *probe) legacy() bool { return p.Dialect == Entra && !p.flag }

// op spells the name of an operation.
func (p *probe) op(name string) string {
	if p.legacy() {
		return map[string]string{"add": "Add", "replace": "Replace", "remove": "Remove"}[name]
	}
	return name
}

// rename changes the display name, the work email and the department of a person, who is as the endpoint shows it.
func (p *probe) rename(is object, displayName, email, department string) change {
	const workEmail, departmentPath = `emails[type eq "work"].value`, urnEnterprise + ":department"
	switch {
	case p.Dialect == Okta: // all of the person, changed
		whole := object{}
		for k, v := range is {
			whole[k] = v
		}
		whole["displayName"] = displayName
		whole["emails"] = []object{{"value": email, "type": "work", "primary": true}}
		whole[urnEnterprise] = object{"department": department}
		whole["schemas"] = []string{urnUser, urnEnterprise}
		return change{http.MethodPut, whole}
	case p.Dialect == Entra && p.flag:
		return change{http.MethodPatch, patch(object{"op": "replace", "value": object{"displayName": displayName, workEmail: email, departmentPath: department}})}
	}
	return change{http.MethodPatch, patch(
		object{"op": p.op("replace"), "path": "displayName", "value": displayName},
		object{"op": p.op("replace"), "path": workEmail, "value": email},
		object{"op": p.op("add"), "path": departmentPath, "value": department},
	)}
}

// setActive enables or disables a person.
func (p *probe) setActive(active bool) change {
	switch {
	case p.legacy():
		return change{http.MethodPatch, patch(object{"op": "Replace", "path": "active", "value": map[bool]string{true: "True", false: "False"}[active]})}
	case p.Dialect == Okta:
		return change{http.MethodPatch, patch(object{"op": "replace", "value": object{"active": active}})}
	}
	return change{http.MethodPatch, patch(object{"op": "replace", "path": "active", "value": active})}
}

// addMembers puts people into a group.
func (p *probe) addMembers(ids ...string) change {
	var list []object
	for _, id := range ids {
		m := object{"value": id}
		if p.legacy() {
			m["$ref"] = nil
		}
		list = append(list, m)
	}
	return change{http.MethodPatch, patch(object{"op": p.op("add"), "path": "members", "value": list})}
}

// removeMember takes one person out of a group.
func (p *probe) removeMember(id string) change {
	if p.legacy() {
		return change{http.MethodPatch, patch(object{"op": "Remove", "path": "members", "value": []object{{"$ref": nil, "value": id}}})}
	}
	return change{http.MethodPatch, patch(object{"op": "remove", "path": `members[value eq "` + id + `"]`})}
}

// renameGroup gives a group another name.
func (p *probe) renameGroup(id, displayName string) change {
	if p.Dialect == Okta {
		return change{http.MethodPatch, patch(object{"op": "replace", "value": object{"id": id, "displayName": displayName}})}
	}
	return change{http.MethodPatch, patch(object{"op": p.op("replace"), "path": "displayName", "value": displayName})}
}
