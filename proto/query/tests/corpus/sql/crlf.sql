SELECT count(*)
FROM person
WHERE agee = 1
