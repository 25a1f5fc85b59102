"""The sources that read what describes a team's infrastructure: files of ecspresso, states of Terraform, stacks of CloudFormation. For `init` only."""
