-- participants.call_off

/* participants.call_off */ UPDATE JSON_TABLE(?, '$[*]' COLUMNS (h CHAR(32) PATH '$')) AS list
  STRAIGHT_JOIN invitation
  ON invitation.tenant_id = ?
  AND invitation.participant_id = UNHEX(list.h)
  SET state = 'expired', send_at = CASE WHEN (YEAR(invitation.send_at) >= 1 AND MONTH(invitation.send_at) >= 1 AND DAYOFMONTH(invitation.send_at) >= 1 AND DAYOFMONTH(invitation.send_at) <= CASE WHEN MONTH(invitation.send_at) IN (4, 6, 9, 11) THEN 30 WHEN MONTH(invitation.send_at) <> 2 THEN 31 WHEN YEAR(invitation.send_at) % 4 = 0 AND (YEAR(invitation.send_at) % 100 <> 0 OR YEAR(invitation.send_at) % 400 = 0) THEN 29 ELSE 28 END) THEN CAST(DATE_FORMAT(invitation.send_at, '%Y-%m-01') AS DATETIME(6)) ELSE CAST(DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-01') AS DATETIME(6)) END
  WHERE state = 'queued'

-- select_type | table | type | key | key_len | Extra
-- SIMPLE | list | ALL | - | - | Table function: json_table
-- SIMPLE | invitation | ref | PRIMARY | 24 | Using where
