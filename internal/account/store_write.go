package account

import (
	"context"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

// Writing. Each function is part of a transaction and names what it changed, so that every index takes it in.

func insertOrganization(ctx context.Context, tx *store.Tx, o *Organization) error {
	tx.Changed(organizationChange, o.ID)
	_, err := tx.Exec(ctx, `INSERT INTO organization (id, root, management, created) VALUES (?, ?, ?, ?)`, o.ID, o.Root, o.Management, store.Millis(o.Created))
	return err
}

func insertAccount(ctx context.Context, tx *store.Tx, a *Account) error {
	tags, err := encode(a.Tags)
	if err != nil {
		return err
	}
	tx.Changed(accountChange, a.ID)
	_, err = tx.Exec(ctx, `INSERT INTO accounts (id, name, email, email_key, status, joined_method, joined, tags) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		a.ID, a.Name, a.Email, nameKey(a.Email), string(a.Status), a.JoinedMethod, store.Millis(a.Joined), tags)
	return err
}

func updateAccount(ctx context.Context, tx *store.Tx, a *Account) error {
	tags, err := encode(a.Tags)
	if err != nil {
		return err
	}
	tx.Changed(accountChange, a.ID)
	return tx.MustExec(ctx, `UPDATE accounts SET status = ?, tags = ? WHERE id = ?`, string(a.Status), tags, a.ID)
}

func insertServiceAccess(ctx context.Context, tx *store.Tx, service string, at time.Time) error {
	// The row is in no index, but who may act in the organization is a change like any other.
	tx.Changed("service-access", service)
	_, err := tx.Exec(ctx, `INSERT INTO service_access (service, enabled) VALUES (?, ?) ON CONFLICT (service) DO NOTHING`, service, store.Millis(at))
	return err
}

func deleteServiceAccess(ctx context.Context, tx *store.Tx, service string) error {
	n, err := tx.Exec(ctx, `DELETE FROM service_access WHERE service = ?`, service)
	if n > 0 {
		tx.Changed("service-access", service)
	}
	return err
}

func insertDelegation(ctx context.Context, tx *store.Tx, d *Delegation) error {
	tx.Changed(delegationChange, delegationKey(d.Account, d.Service))
	_, err := tx.Exec(ctx, `INSERT INTO delegated_administrators (account, service, enabled) VALUES (?, ?, ?)`, d.Account, d.Service, store.Millis(d.Enabled))
	return err
}

func deleteDelegation(ctx context.Context, tx *store.Tx, account, service string) error {
	tx.Changed(delegationChange, delegationKey(account, service))
	return tx.MustExec(ctx, `DELETE FROM delegated_administrators WHERE account = ? AND service = ?`, account, service)
}

// columns are what an entity keeps in texts.
func (e *Entity) columns() (tags, ids string, err error) {
	if tags, err = encode(e.Tags); err != nil {
		return "", "", err
	}
	ids, err = encode(e.Trust.IDs)
	return tags, ids, err
}

// insertEntity writes a new user, group or role without what hangs on it. A name that is taken is store.ErrConflict.
func insertEntity(ctx context.Context, tx *store.Tx, e *Entity) error {
	tags, ids, err := e.columns()
	if err != nil {
		return err
	}
	tx.Changed(entityChange, e.ID)
	_, err = tx.Exec(ctx, `INSERT INTO iam_entities (id, kind, account, path, name, name_key, created, boundary, tags, description, max_session, trust, trust_ids)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.ID, string(e.Kind), e.Account, e.Path, e.Name, nameKey(e.Name), store.Millis(e.Created), e.Boundary, tags, e.Description, int64(e.MaxSession/time.Second), e.Trust.Text, ids)
	return err
}

// updateEntity writes everything of an entity that can change.
func updateEntity(ctx context.Context, tx *store.Tx, e *Entity) error {
	tags, ids, err := e.columns()
	if err != nil {
		return err
	}
	tx.Changed(entityChange, e.ID)
	return tx.MustExec(ctx, `UPDATE iam_entities SET path = ?, name = ?, name_key = ?, boundary = ?, tags = ?, description = ?, max_session = ?, trust = ?, trust_ids = ? WHERE id = ?`,
		e.Path, e.Name, nameKey(e.Name), e.Boundary, tags, e.Description, int64(e.MaxSession/time.Second), e.Trust.Text, ids, e.ID)
}

func deleteEntity(ctx context.Context, tx *store.Tx, id string) error {
	tx.Changed(entityChange, id)
	return tx.MustExec(ctx, `DELETE FROM iam_entities WHERE id = ?`, id)
}

func putInline(ctx context.Context, tx *store.Tx, entity, name, text string) error {
	tx.Changed(entityChange, entity)
	_, err := tx.Exec(ctx, `INSERT INTO iam_inline_policies (entity, name, document) VALUES (?, ?, ?) ON CONFLICT (entity, name) DO UPDATE SET document = excluded.document`, entity, name, text)
	return err
}

func deleteInline(ctx context.Context, tx *store.Tx, entity, name string) error {
	tx.Changed(entityChange, entity)
	return tx.MustExec(ctx, `DELETE FROM iam_inline_policies WHERE entity = ? AND name = ?`, entity, name)
}

func attach(ctx context.Context, tx *store.Tx, entity, policy string) error {
	tx.Changed(entityChange, entity)
	_, err := tx.Exec(ctx, `INSERT INTO iam_attachments (entity, policy) VALUES (?, ?) ON CONFLICT (entity, policy) DO NOTHING`, entity, policy)
	return err
}

func detach(ctx context.Context, tx *store.Tx, entity, policy string) error {
	tx.Changed(entityChange, entity)
	return tx.MustExec(ctx, `DELETE FROM iam_attachments WHERE entity = ? AND policy = ?`, entity, policy)
}

func addMember(ctx context.Context, tx *store.Tx, group, user string) error {
	tx.Changed(entityChange, user)
	_, err := tx.Exec(ctx, `INSERT INTO iam_memberships (group_id, user_id) VALUES (?, ?) ON CONFLICT (group_id, user_id) DO NOTHING`, group, user)
	return err
}

func removeMember(ctx context.Context, tx *store.Tx, group, user string) error {
	tx.Changed(entityChange, user)
	_, err := tx.Exec(ctx, `DELETE FROM iam_memberships WHERE group_id = ? AND user_id = ?`, group, user)
	return err
}

func insertPolicy(ctx context.Context, tx *store.Tx, p *ManagedPolicy) error {
	tags, err := encode(p.Tags)
	if err != nil {
		return err
	}
	tx.Changed(policyChange, p.ARN)
	_, err = tx.Exec(ctx, `INSERT INTO iam_policies (arn, id, account, path, name, name_key, description, created, updated, default_version, last_version, tags)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		p.ARN, p.ID, p.Account, p.Path, p.Name, nameKey(p.Name), p.Description, store.Millis(p.Created), store.Millis(p.Updated), p.Default, p.Last, tags)
	return err
}

func updatePolicy(ctx context.Context, tx *store.Tx, p *ManagedPolicy) error {
	tags, err := encode(p.Tags)
	if err != nil {
		return err
	}
	tx.Changed(policyChange, p.ARN)
	return tx.MustExec(ctx, `UPDATE iam_policies SET updated = ?, default_version = ?, last_version = ?, tags = ? WHERE arn = ?`,
		store.Millis(p.Updated), p.Default, p.Last, tags, p.ARN)
}

func insertVersion(ctx context.Context, tx *store.Tx, arn string, v PolicyVersion) error {
	tx.Changed(policyChange, arn)
	_, err := tx.Exec(ctx, `INSERT INTO iam_policy_versions (policy, version, document, created) VALUES (?, ?, ?, ?)`, arn, v.Number, v.Text, store.Millis(v.Created))
	return err
}

func deleteVersion(ctx context.Context, tx *store.Tx, arn string, number int) error {
	tx.Changed(policyChange, arn)
	return tx.MustExec(ctx, `DELETE FROM iam_policy_versions WHERE policy = ? AND version = ?`, arn, number)
}

// deletePolicy removes a policy with the one version that it has left.
func deletePolicy(ctx context.Context, tx *store.Tx, arn string) error {
	if _, err := tx.Exec(ctx, `DELETE FROM iam_policy_versions WHERE policy = ?`, arn); err != nil {
		return err
	}
	tx.Changed(policyChange, arn)
	return tx.MustExec(ctx, `DELETE FROM iam_policies WHERE arn = ?`, arn)
}

// policyUses counts the entities that a policy is attached to, and those that it bounds.
func policyUses(ctx context.Context, q store.Querier, arn string) (attached, bounding int64, err error) {
	if attached, err = store.One(ctx, q, store.Int, `SELECT COUNT(*) FROM iam_attachments WHERE policy = ?`, arn); err != nil {
		return 0, 0, err
	}
	bounding, err = store.One(ctx, q, store.Int, `SELECT COUNT(*) FROM iam_entities WHERE boundary = ?`, arn)
	return attached, bounding, err
}

func insertKey(ctx context.Context, tx *store.Tx, k *AccessKey) error {
	tx.Changed(keyChange, k.ID)
	_, err := tx.Exec(ctx, `INSERT INTO iam_access_keys (id, entity, account, status, secret, created, used, used_service, used_region) VALUES (?, ?, ?, ?, ?, ?, 0, '', '')`,
		k.ID, k.User, k.Account, keyEnabled, k.sealed, store.Millis(k.Created))
	return err
}

func updateKeyStatus(ctx context.Context, tx *store.Tx, id, status string) error {
	tx.Changed(keyChange, id)
	return tx.MustExec(ctx, `UPDATE iam_access_keys SET status = ? WHERE id = ?`, status, id)
}

func deleteKey(ctx context.Context, tx *store.Tx, id string) error {
	tx.Changed(keyChange, id)
	return tx.MustExec(ctx, `DELETE FROM iam_access_keys WHERE id = ?`, id)
}

// saveUse is no change: see SaveUses.
func saveUse(ctx context.Context, tx *store.Tx, id string, u Use) error {
	at := store.Millis(u.At)
	_, err := tx.Exec(ctx, `UPDATE iam_access_keys SET used = ?, used_service = ?, used_region = ? WHERE id = ? AND used < ?`, at, u.Service, u.Region, id, at)
	return err
}
