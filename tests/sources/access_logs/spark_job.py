"""Runs a query in a Spark process with two executors and Hive's RegexSerDe.

Reads {"statements": [SQL], "query": SQL} from standard input, and writes the result to the Parquet file in its argument.
"""

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

FAST_START = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def main() -> None:
    job, directory = json.load(sys.stdin), Path.cwd()
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": f"{FAST_START} -Dderby.system.home={directory}",
        "spark.executor.extraJavaOptions": FAST_START,
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.warehouse.dir": str(directory / "warehouse"),
        "spark.hadoop.javax.jdo.option.ConnectionURL": "jdbc:derby:memory:metastore;create=true",
        "spark.hadoop.datanucleus.schema.autoCreateAll": "true",
        "spark.hadoop.hive.metastore.schema.verification": "false",
    }
    builder = SparkSession.builder.master("local-cluster[2,1,1024]").appName("counts").enableHiveSupport()
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    for statement in job["statements"]:
        spark.sql(statement)
    rows = [row.asDict() for row in spark.sql(job["query"]).collect()]
    pq.write_table(pa.Table.from_pylist(rows), sys.argv[1])
    spark.stop()


if __name__ == "__main__":
    main()
