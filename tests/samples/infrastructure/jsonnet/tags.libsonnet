[{ key: 'env', value: 'photo' }]
