package scim

import (
	"context"
	"net/http"
	"strings"
)

// What the server says of itself (RFC 7643 §5–7).

func getConfig(_ context.Context, req *request) (answer, error) {
	supported := func(b bool) tree { return tree{"supported": b} }
	return answer{status: http.StatusOK, body: tree{
		"schemas":        []any{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"},
		"patch":          supported(true),
		"bulk":           tree{"supported": true, "maxOperations": maxBulk, "maxPayloadSize": maxBody},
		"filter":         tree{"supported": true, "maxResults": maxCount},
		"changePassword": supported(false),
		"sort":           supported(true),
		"etag":           supported(true),
		"authenticationSchemes": []any{tree{
			"type": "oauthbearertoken", "name": "OAuth Bearer Token", "description": "A token of the identity store, made with CreateScimToken.",
			"specUri": "https://www.rfc-editor.org/info/rfc6750", "primary": true,
		}},
		"meta": tree{"resourceType": "ServiceProviderConfig", "location": req.h.base + req.store + "/ServiceProviderConfig"},
	}}, nil
}

var resourceTypes = []*resourceType{userType, groupType}

func getResourceTypes(_ context.Context, req *request) (answer, error) {
	var all []tree
	for _, t := range resourceTypes {
		x := tree{
			"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"}, "id": t.name, "name": t.name, "description": t.core.description,
			"endpoint": t.endpoint, "schema": t.core.urn,
			"meta": tree{"resourceType": "ResourceType", "location": req.h.base + req.store + "/ResourceTypes/" + t.name},
		}
		var extensions []any
		for _, e := range t.extensions {
			extensions = append(extensions, tree{"schema": e.urn, "required": false})
		}
		setOrDelete(x, "schemaExtensions", extensions)
		all = append(all, x)
	}
	return req.documents(all, "ResourceType")
}

func getSchemas(_ context.Context, req *request) (answer, error) {
	var all []tree
	for _, t := range resourceTypes {
		for _, s := range append([]*schema{t.core}, t.extensions...) {
			all = append(all, tree{
				"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:Schema"}, "id": s.urn, "name": s.name, "description": s.description,
				"attributes": attributesOf(s.attributes),
				"meta":       tree{"resourceType": "Schema", "location": req.h.base + req.store + "/Schemas/" + s.urn},
			})
		}
	}
	return req.documents(all, "Schema")
}

// documents answers with the one that the path names, or with all. They are not searched (RFC 7644 §4).
func (req *request) documents(all []tree, what string) (answer, error) {
	if req.id == "" {
		if req.URL.Query().Has("filter") {
			return answer{}, &fault{status: http.StatusForbidden, detail: "This list cannot be filtered."}
		}
		list := make([]any, len(all))
		for i := range all {
			list[i] = all[i]
		}
		return answer{status: http.StatusOK, body: tree{
			"schemas": []any{urnList}, "totalResults": len(list), "startIndex": 1, "itemsPerPage": len(list), "Resources": list,
		}}, nil
	}
	for _, x := range all {
		if id, _ := x["id"].(string); strings.EqualFold(id, req.id) {
			return answer{status: http.StatusOK, body: x}, nil
		}
	}
	return answer{}, notFound(what, req.id)
}

func attributesOf(attributes []*attribute) []any {
	list := []any{}
	for _, a := range attributes {
		x := tree{
			"name": a.name, "type": string(a.kind), "multiValued": a.multi, "required": a.required, "caseExact": a.caseExact,
			"mutability": "readWrite", "returned": "default", "uniqueness": "none",
		}
		if a.readOnly {
			x["mutability"] = "readOnly"
		}
		if a.unique {
			x["uniqueness"] = "server"
		}
		if a.kind == complexed {
			x["subAttributes"] = attributesOf(a.subs)
		}
		list = append(list, x)
	}
	return list
}
