local tags = import 'tags.libsonnet';

{
  desiredCount: 1,
  loadBalancers: [
    {
      containerName: 'web',
      containerPort: 8080,
      targetGroupArn: "{{ tfstate `aws_lb_target_group.ecs['green'].arn` }}",
      advancedConfiguration: {
        alternateTargetGroupArn: std.native('tfstate')('aws_lb_target_group.ecs["blue"].arn'),
        productionListenerRule: std.native('tfstate')('aws_lb_listener_rule.split.arn'),
        roleArn: std.native('tfstate')('aws_iam_role.ecs.arn'),
      },
    },
  ],
  tags: tags,
}
