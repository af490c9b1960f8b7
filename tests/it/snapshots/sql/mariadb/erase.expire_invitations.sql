-- erase.expire_invitations

/* erase.expire_invitations */ UPDATE JSON_TABLE(?, '$[*]' COLUMNS (h CHAR(32) PATH '$')) AS list
  STRAIGHT_JOIN invitation
  ON invitation.tenant_id = ?
  AND invitation.participant_id = UNHEX(list.h)
  SET state = 'expired', send_at = CASE WHEN (YEAR(invitation.send_at) >= 1 AND MONTH(invitation.send_at) >= 1 AND DAYOFMONTH(invitation.send_at) >= 1 AND DAYOFMONTH(invitation.send_at) <= CASE WHEN MONTH(invitation.send_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(invitation.send_at) <> 2 THEN 31 WHEN YEAR(invitation.send_at) % 4 = 0 AND (YEAR(invitation.send_at) % 100 <> 0 OR YEAR(invitation.send_at) % 400 = 0) THEN 29 ELSE 28 END) THEN CAST(DATE_FORMAT(invitation.send_at, '%Y-%m-01') AS DATETIME(6)) ELSE CAST(DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-01') AS DATETIME(6)) END
  WHERE invitation.state = 'queued'
  AND EXISTS (SELECT 1
    FROM participant
    WHERE participant.tenant_id = ?
    AND participant.id = invitation.participant_id
    AND participant.added_at < ?
    AND participant.added_at >= ?
    AND (YEAR(participant.added_at) >= 1
      AND MONTH(participant.added_at) >= 1
      AND DAYOFMONTH(participant.added_at) >= 1
      AND DAYOFMONTH(participant.added_at) <= CASE WHEN MONTH(participant.added_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(participant.added_at) <> 2 THEN 31 WHEN YEAR(participant.added_at) % 4 = 0 AND (YEAR(participant.added_at) % 100 <> 0 OR YEAR(participant.added_at) % 400 = 0) THEN 29 ELSE 28 END)
    AND participant.anonymized_at IS NULL)

-- select_type | table | type | key | key_len | Extra
-- PRIMARY | list | ALL | - | - | Table function: json_table
-- PRIMARY | participant | eq_ref | PRIMARY | 24 | Using where
-- PRIMARY | invitation | ref | PRIMARY | 24 | Using where
