package policy

import (
	"encoding/json"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A second evaluator, written for plainness from the documented truth tables: nothing compiled, patterns turned into
// regular expressions, numbers into floats, every rule asked of every statement. Random small policies and requests are
// decided by both.

type modelStatement struct {
	Effect       string
	Action       []string                       `json:",omitempty"`
	NotAction    []string                       `json:",omitempty"`
	Resource     []string                       `json:",omitempty"`
	NotResource  []string                       `json:",omitempty"`
	Principal    map[string][]string            `json:",omitempty"`
	NotPrincipal map[string][]string            `json:",omitempty"`
	Condition    map[string]map[string][]string `json:",omitempty"`
}

type modelPolicies struct {
	Identity, Boundary, Guardrail []modelStatement
	Session                       [][]modelStatement
	Control                       []modelStatement
	Resource                      []modelStatement
	ResourceMustAllow             bool
	ResourceKind                  Kind
}

const anyText = "\x00any\x00"

var variableForm = regexp.MustCompile(`\$\{([^},]*)(?:, *'([^']*)')?\}`)

// modelResolve replaces variables by \x01 around their value, which no wildcard looks into.
func modelResolve(text string, ctx Values, deny, positive bool) (string, bool) {
	resolved := true
	out := variableForm.ReplaceAllStringFunc(text, func(v string) string {
		m := variableForm.FindStringSubmatch(v)
		if strings.Contains("*?$", m[1]) {
			return "\x01" + m[1] + "\x01"
		}
		values := ctx[strings.ToLower(m[1])]
		switch {
		case len(values) == 1:
			return "\x01" + values[0] + "\x01"
		case len(values) == 0 && strings.Contains(v, "'"):
			return "\x01" + m[2] + "\x01"
		case deny && positive:
			return anyText
		}
		resolved = false
		return ""
	})
	return out, resolved
}

func modelPattern(text string, wildcards, ignoreCase bool, value string) bool {
	var expr strings.Builder
	for i, part := range strings.Split(text, "\x01") {
		for j, plain := range strings.Split(part, anyText) {
			if j > 0 {
				expr.WriteString(".*")
			}
			quoted := regexp.QuoteMeta(plain)
			if wildcards && i%2 == 0 {
				quoted = strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(quoted)
			}
			expr.WriteString(quoted)
		}
	}
	flags := "(?s)"
	if ignoreCase {
		flags = "(?si)"
	}
	return regexp.MustCompile(flags + "^(?:" + expr.String() + ")$").MatchString(value)
}

func modelARN(text, value string) bool {
	if text == "*" {
		return true
	}
	p, v := strings.SplitN(text, ":", 6), strings.SplitN(value, ":", 6)
	if len(v) != 6 {
		return false
	}
	for i := range p {
		if !modelPattern(p[i], true, false, v[i]) {
			return false
		}
	}
	return true
}

func modelValue(operator, policy, value string) bool {
	switch {
	case strings.HasPrefix(operator, "Numeric"):
		v, err := strconv.ParseFloat(value, 64)
		p, _ := strconv.ParseFloat(policy, 64)
		return err == nil && modelOrder(operator, v-p)
	case strings.HasPrefix(operator, "Date"):
		v, err := time.Parse(time.RFC3339, value)
		if seconds, notSeconds := strconv.Atoi(value); notSeconds == nil && seconds >= 0 {
			v, err = time.Unix(int64(seconds), 0), nil
		}
		p, _ := time.Parse(time.RFC3339, policy)
		return err == nil && modelOrder(operator, float64(v.Unix()-p.Unix()))
	case strings.HasSuffix(operator, "IpAddress"):
		_, n, err := net.ParseCIDR(policy)
		if err != nil {
			return net.ParseIP(policy).Equal(net.ParseIP(value))
		}
		ip := net.ParseIP(value)
		return ip != nil && n.Contains(ip)
	case strings.HasPrefix(operator, "Arn"):
		return modelARN(policy, value)
	case operator == "Bool", strings.HasSuffix(operator, "IgnoreCase"):
		return modelPattern(policy, false, true, value)
	}
	return modelPattern(policy, strings.HasSuffix(operator, "Like"), false, value)
}

func modelOrder(operator string, difference float64) bool {
	switch strings.TrimPrefix(strings.TrimPrefix(operator, "Numeric"), "Date") {
	case "LessThan":
		return difference < 0
	case "LessThanEquals":
		return difference <= 0
	case "GreaterThan":
		return difference > 0
	case "GreaterThanEquals":
		return difference >= 0
	}
	return difference == 0
}

func modelCondition(operator, key string, policy []string, ctx Values, deny bool) bool {
	set, name, found := strings.Cut(operator, ":")
	if !found {
		set, name = "", operator
	}
	name, ifExists := strings.CutSuffix(name, "IfExists")
	negated := strings.Contains(name, "Not")
	values := ctx[strings.ToLower(key)]
	if name == "Null" {
		return slices.Contains(policy, strconv.FormatBool(len(values) == 0))
	}
	if len(values) == 0 {
		return ifExists || set == "ForAllValues" || set == "" && negated
	}
	satisfied := 0
	for _, v := range values {
		any := false
		for _, p := range policy {
			resolved, ok := modelResolve(p, ctx, deny, !negated)
			any = any || ok && modelValue(name, resolved, v)
		}
		if any != negated {
			satisfied++
		}
	}
	if set == "ForAllValues" || set == "" && negated {
		return satisfied == len(values)
	}
	return satisfied > 0
}

func modelUnresolved(s modelStatement, ctx Values) bool {
	texts := slices.Concat(s.Resource, s.NotResource)
	for _, keys := range s.Condition {
		for _, values := range keys {
			texts = append(texts, values...)
		}
	}
	return slices.ContainsFunc(texts, func(text string) bool {
		_, ok := modelResolve(text, ctx, false, false)
		return !ok
	})
}

// modelNamed: 0 not named, 1 by account, 2 by role or "*", 3 itself.
func modelNamed(list map[string][]string, p Principal) int {
	best := 0
	for kind, names := range list {
		for _, n := range names {
			switch {
			case n == "*":
				best = max(best, 2)
			case kind == "Service" && p.Type == Service && n == p.Service:
				best = max(best, 2)
			case kind != "AWS" || p.Account == "":
			case n == p.Account || n == "arn:aws:iam::"+p.Account+":root":
				best = max(best, 1)
			case n == p.ARN:
				best = max(best, 3)
			case n == p.RoleARN:
				best = max(best, 2)
			}
		}
	}
	return best
}

// modelSpared follows AWS's description: account, role and session are looked at one after the other.
func modelSpared(list map[string][]string, p Principal) bool {
	listed := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(list["AWS"], n) })
	}
	switch p.Type {
	case Service:
		return slices.Contains(list["Service"], p.Service)
	case Anonymous:
		return false
	}
	if !listed(p.Account, "arn:aws:iam::"+p.Account+":root") {
		return false
	}
	switch p.Type {
	case User:
		return listed(p.ARN)
	case AssumedRole:
		picks := slices.ContainsFunc(list["AWS"], func(n string) bool {
			return strings.HasPrefix(n, p.ARN[:strings.LastIndex(p.ARN, "/")+1])
		})
		return listed(p.RoleARN) && (!picks || listed(p.ARN))
	}
	return true
}

// modelApplies returns 0 if the statement does not apply, else how the principal is named.
func modelApplies(s modelStatement, r *Request, kind Kind) int {
	deny := s.Effect == "Deny"
	action := func(list []string) bool {
		return slices.ContainsFunc(list, func(a string) bool { return modelPattern(a, true, true, r.Action) })
	}
	if s.Action != nil && !action(s.Action) || s.NotAction != nil && action(s.NotAction) {
		return 0
	}
	named := 2
	if s.Principal != nil {
		named = modelNamed(s.Principal, r.Principal)
		if everyone := slices.Contains(s.Principal["AWS"], "*"); everyone && kind == Actor && named == 2 {
			list := slices.DeleteFunc(slices.Clone(s.Principal["AWS"]), func(n string) bool { return n == "*" })
			named = max(1, modelNamed(map[string][]string{"AWS": list, "Service": s.Principal["Service"]}, r.Principal))
		}
		if named == 0 {
			return 0
		}
	}
	if s.NotPrincipal != nil && (deny && modelSpared(s.NotPrincipal, r.Principal) || !deny && modelNamed(s.NotPrincipal, r.Principal) > 0) {
		return 0
	}
	if !deny && modelUnresolved(s, r.Context) {
		return 0
	}
	resource := func(list []string, positive bool) bool {
		return slices.ContainsFunc(list, func(p string) bool {
			resolved, ok := modelResolve(p, r.Context, deny, positive)
			return ok && modelARN(resolved, r.Resource)
		})
	}
	if s.Resource != nil && !resource(s.Resource, true) || s.NotResource != nil && resource(s.NotResource, false) {
		return 0
	}
	for operator, keys := range s.Condition {
		for key, values := range keys {
			if !modelCondition(operator, key, values, r.Context, deny) {
				return 0
			}
		}
	}
	return named
}

func modelEvaluate(r *Request, p modelPolicies) (allowed, explicit bool) {
	says := func(list []modelStatement, effect string) int {
		best := 0
		for _, s := range list {
			if s.Effect == effect {
				best = max(best, modelApplies(s, r, p.ResourceKind))
			}
		}
		return best
	}
	lists := append([][]modelStatement{p.Identity, p.Boundary, p.Guardrail, p.Control, p.Resource}, p.Session...)
	for _, list := range lists {
		if says(list, "Deny") > 0 {
			return false, true
		}
	}
	if p.Control != nil && says(p.Control, "Allow") == 0 {
		return false, false
	}
	resource := says(p.Resource, "Allow")
	who := r.Principal.Type
	if who == Service || who == Anonymous {
		return resource >= 2, false
	}
	identity := who == Root || says(p.Identity, "Allow") > 0
	limits := who == Root || p.Boundary == nil || says(p.Boundary, "Allow") > 0
	for _, group := range p.Session {
		limits = limits && says(group, "Allow") > 0
	}
	if r.Principal.Account != r.ResourceAccount {
		return identity && limits && resource > 0, false
	}
	if p.ResourceMustAllow && resource == 0 {
		return false, false
	}
	switch resource {
	case 3:
		return true, false
	case 2:
		return limits, false
	}
	return identity && limits, false
}

var (
	modelUser    = Principal{Type: User, Account: here, ARN: "arn:aws:iam::111111111111:user/a"}
	modelRole    = Principal{Type: AssumedRole, Account: here, ARN: "arn:aws:sts::111111111111:assumed-role/r/a", RoleARN: "arn:aws:iam::111111111111:role/p/r"}
	modelRoot    = Principal{Type: Root, Account: here, ARN: "arn:aws:iam::111111111111:root"}
	modelService = Principal{Type: Service, Service: "s.amazonaws.com"}
)

func genStatements(t *rapid.T, label string, kind Kind) []modelStatement {
	one := func(name string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label+name) }
	some := func(name string, from ...string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 1, 2, rapid.ID).Draw(t, label+name)
	}
	sometimes := func(name string, in int) bool { return rapid.IntRange(1, in).Draw(t, label+name) == 1 }
	list := make([]modelStatement, rapid.IntRange(1, 2).Draw(t, label))
	for i := range list {
		s := &list[i]
		s.Effect = one("effect", "Allow", "Allow", "Allow", "Allow", "Allow", "Allow", "Allow", "Deny")
		actions := some("action", "*", "s3:Get*", "s3:getobject", "S3:PutObject", "s3:?etObject", "iam:*")
		if s.Action = actions; sometimes("not", 5) {
			s.Action, s.NotAction = nil, actions
		}
		resources := some("resource", "*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/x", "arn:aws:s3:::b/${a:k}/*", "arn:aws:s3:::*/${a:k, 'x'}", "arn:*:s3:::b/${*}", "arn:aws:s3:*:*:c*")
		if s.Resource = resources; sometimes("not", 5) {
			s.Resource, s.NotResource = nil, resources
		}
		if kind.hasPrincipal() {
			aws := some("principal", here, there, modelUser.ARN, modelRole.ARN, modelRole.RoleARN, modelRoot.ARN, modelRole.ARN+"b", "arn:aws:iam::111111111111:user/other")
			if sometimes("everyone", 4) {
				aws = append(aws, "*")
			}
			principals := map[string][]string{"AWS": aws}
			if sometimes("service", 3) {
				principals["Service"] = []string{modelService.Service}
			}
			if s.Principal = principals; kind == Resource && sometimes("not", 4) && !slices.Contains(aws, "*") {
				s.Principal, s.NotPrincipal = nil, principals
				if sometimes("root", 2) && !slices.Contains(aws, modelRoot.ARN) {
					principals["AWS"] = append(aws, modelRoot.ARN)
				}
			}
		}
		if !sometimes("condition", 2) {
			continue
		}
		operator := one("operator", "String", "String", "String", "Numeric", "Date", "Ip", "Arn", "Bool", "Null")
		var values []string
		switch operator {
		case "String":
			operator = one("operator", "StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase")
			values = some("value", "x", "X", "y*", "?", "${a:k}", "${a:l, 'x'}", "${*}", "")
		case "Numeric", "Date":
			order := one("order", "Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
			values = some("value", "1", "2.5", "-3")
			if operator == "Date" {
				values = some("value", "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z")
			}
			operator += order
		case "Ip":
			operator = one("operator", "IpAddress", "NotIpAddress")
			values = some("value", "10.0.0.0/8", "10.0.0.1", "2001:db8::/32")
		case "Arn":
			operator = one("operator", "ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike")
			values = some("value", "arn:aws:s3:::b", "arn:aws:s3:::*", "arn:*:s3:::${a:k}", "*")
		default:
			values = some("value", "true", "false")
		}
		if operator != "Null" {
			operator = one("set", "", "", "ForAllValues:", "ForAnyValue:") + operator + one("exists", "", "", "IfExists")
		}
		s.Condition = map[string]map[string][]string{operator: {one("key", "a:k", "A:K", "a:l"): values}}
	}
	return list
}

func TestEvaluateAgreesWithTheModel(t *testing.T) {
	document := func(t *rapid.T, list []modelStatement, kind Kind) Named {
		text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": list})
		if err != nil {
			t.Fatal(err)
		}
		d, err := Parse(text, kind)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return Named{kind.String(), d}
	}
	outcomes := map[string]int{}
	agree := func(t *rapid.T) {
		has := func(what string) bool { return rapid.IntRange(0, 2).Draw(t, "has "+what) == 0 }
		m := modelPolicies{Identity: genStatements(t, "identity ", Identity), ResourceKind: rapid.SampledFrom([]Kind{Resource, Resource, Actor}).Draw(t, "kind")}
		p := &Policies{Identity: []Named{document(t, m.Identity, Identity)}}
		if has("boundary") {
			m.Boundary = genStatements(t, "boundary ", Identity)
			p.Boundary = []Named{document(t, m.Boundary, Identity)}
		}
		if has("control") {
			m.Control = genStatements(t, "control ", Identity)
			p.ServiceControl = [][]Named{{document(t, m.Control, Identity)}}
		}
		if has("guardrail") {
			m.Guardrail = genStatements(t, "guardrail ", Identity)
			p.Guardrail = []Named{document(t, m.Guardrail, Identity)}
		}
		for range rapid.IntRange(0, 2).Draw(t, "sessions") {
			group := genStatements(t, "session ", Session)
			m.Session = append(m.Session, group)
			p.Session = append(p.Session, []Named{document(t, group, Session)})
		}
		if !has("no resource policy") {
			m.Resource = genStatements(t, "bucket ", m.ResourceKind)
			bucket := document(t, m.Resource, m.ResourceKind)
			p.Resource = &bucket
			m.ResourceMustAllow = m.ResourceKind == Actor
			p.ResourceMustAllow = m.ResourceMustAllow
		}
		r := &Request{
			Principal:       rapid.SampledFrom([]Principal{modelUser, modelUser, modelRole, modelRole, modelRoot, modelService, {Type: Anonymous}}).Draw(t, "principal"),
			Action:          rapid.SampledFrom([]string{"s3:GetObject", "s3:PutObject"}).Draw(t, "action"),
			Resource:        rapid.SampledFrom([]string{"arn:aws:s3:::b/x", "arn:aws:s3:::b/*", "arn:aws:s3:::b/x/y", "arn:aws:s3:::c/x"}).Draw(t, "resource"),
			ResourceAccount: rapid.SampledFrom([]string{here, here, there}).Draw(t, "owner"),
			Context:         Values{},
		}
		for _, key := range []string{"a:k", "a:l"} {
			values := rapid.SliceOfN(rapid.SampledFrom([]string{"x", "X", "*", "yy", "", "1", "2", "2.50", "-4", "2026-01-01T00:00:00Z", "2026-03-01T01:00:00+01:00",
				"10.0.0.1", "11.1.1.1", "2001:db8::1", "arn:aws:s3:::b", "arn:aws:s3:::x", "true", "false"}), 0, 2).Draw(t, key)
			r.Context.Set(key, values...)
		}
		got := Evaluate(r, p)
		allowed, explicit := modelEvaluate(r, m)
		if got.Allowed != allowed || got.Explicit != explicit {
			t.Fatalf("decided %+v\nthe model says allowed %v, explicit %v", got, allowed, explicit)
		}
		if again := Explain(r, p); again.Allowed != allowed || again.Reason != got.Reason {
			t.Fatalf("Explain decides otherwise: %+v", again)
		}
		outcomes[strconv.FormatBool(allowed)+" "+strconv.FormatBool(explicit)]++
	}
	for range 30 { // 100 requests each
		rapid.Check(t, agree)
	}
	for _, outcome := range []string{"true false", "false false", "false true"} {
		if outcomes[outcome] == 0 {
			t.Errorf("no request was decided %q: the test does not reach it (%v)", outcome, outcomes)
		}
	}
	t.Log(outcomes)
}
