SELECT	sex,

	count(*)
 FROM	person GROUP BY	sexx