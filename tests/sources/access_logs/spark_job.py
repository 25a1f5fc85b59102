"""Counts a table of log files in Spark, as a process of its own: two executors, each a Java of its own, and Hive's own reader of lines.

Reads {"statements": [SQL], "query": SQL} from standard input, and writes what the query gives to the Parquet file that is its argument.
"""

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

FAST_START = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def main() -> None:
    asked, here = json.load(sys.stdin), Path.cwd()
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": f"{FAST_START} -Dderby.system.home={here}",
        "spark.executor.extraJavaOptions": FAST_START,
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.warehouse.dir": str(here / "warehouse"),
        "spark.hadoop.javax.jdo.option.ConnectionURL": "jdbc:derby:memory:metastore;create=true",
        "spark.hadoop.datanucleus.schema.autoCreateAll": "true",
        "spark.hadoop.hive.metastore.schema.verification": "false",
    }
    builder = SparkSession.builder.master("local-cluster[2,1,1024]").appName("counts").enableHiveSupport()
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    for statement in asked["statements"]:
        spark.sql(statement)
    rows = [row.asDict() for row in spark.sql(asked["query"]).collect()]
    pq.write_table(pa.Table.from_pylist(rows), sys.argv[1])
    spark.stop()


if __name__ == "__main__":
    main()
