-- How many series are news.
SELECT count(*) FROM incoming_score
